/**
 * What the reference encoder (zstd 1.5, level 19, with checksum) makes of 200 lines
 * `row <index> is <state in base 36>`; proves that a runtime without zstd reads real frames.
 */
export const ZSTD_FRAME = Buffer.from(
  [
    'KLUv/WT+DCUqABpkWBAaYFV1iCPQxPL17///p4IgKpIklIQDFgAhUBECAQAB9gAxtUUgUngSzVREvIaHUCf6g+SK',
    'bOOukpjCvRlN8ro5e+9GJ1hLchMvqjirCPFWCVIQ/PS0dNryROf9ZNWycbT+HISOGt3ArEOfN3ioyO3MGSCM2Upi',
    '0gbx6m4ey71j0yTtUsEoY9oZCpUYcB8tWTh4ELGKcU7WdzT2jb+EKbA3RlPMBSNcT14J1rK0481ETSMsKYx8LTq0',
    'F2omp/ZEjDB/RhEFxrrBImk+jWhGIhhiI9uQL2ZuXXY1FVsH6U1AZ/QgSQkZzX8elKT5cyB8YP8YcmtVTjA41OnG',
    'wJrkZK+TQJmviCwWW9X2COh5KyJpsT0prQwq/QHQbUpkBGgMcGDAOAGxK5tXfIQJBMeblZxC28R/oCWcc0TqVY35',
    'N4LOyqfgVdrvHvuTkMYGblhZhZCbwxdDZ5twNd8DRaIZPYXmU30mohBPGEV58nvki4V80MNMPk4w0NUcb4bhQMZn',
    '9rklIlZCurjHlYCqxSxvbkjUJK1CEMz+8jl4CHbOXUyJP4bNMOqdwgRpIg0igpwEQ9RaoOaLESTLpTqWQt76Toxa',
    'D/KEFCm56C7Bx7ncnqMqtPxFTQ7CuytuhSpthgAmQ8OWfMdsvpYlexpXgsZKkt7J7PtgOiqM9/ijRxU1nJmAObde',
    'IliFEZyiJMwDNegYWiEw56CJ70qqgzjrarbriOcNZ204jahpFa5gxvga8PIWzms2sZZ6inDyuXSn2qzv0qa4I+Ve',
    'ps7PCvpLEa0MxaDUH5cc0VsJDYVBlNSCogE3V8k+2xirR3DC+NeuEFp5ro/IXaZ15OEZnHUdyKQNqx1TXjSq/+Pa',
    'fnfqaGH41EUVICf/psmk8jn3g15Sx0sNvYa0d+lOyLBGSxwV4zRnSYEP67TSVVKXepWKQcXIvpOxhmaUp7SeMRvz',
    'J+KRcsLpypii4V05r05696+KMNHbGWMqgtjliZSOr1MlFFfqdwwjzPtQzXX76f0sg2L5/7nExvhtIUxi8Rc6LbL4',
    '7KYpnJ8YAmcY/OkoE0V+AKTGaqS/Jxw0Dcm9pRICke1FrT7nsSdwKnb9eopBiXzqPc+J8ejXCO1F6Om1xHkK9CdI',
    '4xIHv1cnedGfa5otEOcKe93wvDklLIsAMWcjglnol2uSE92vXMFNMtVOySQ8/OSsZdryjsHH3rOTb5xL/hqjRAet',
    'd+0x4kGI1qJI15GwJmnD51/tiwG1eNWOK7Rk7wbBJ9h+aqfJscjfLkhQxG0ypETlseimMoQ7JhgWIzCNPWoChTBm',
    'fwtosBg8mC7eFTuEiNg0Y05QZp7YGbEPPFuGwmDWmSHzA2ZvMbwESu+WlY+Eri0ouISE2OqBYraWSpLRx9U60hNQ',
    'oVfkFIGOqBHwPEMI6n0D4b6kkA4RAJYPCgyQUPKEA/BzZqhntI2MLIzhYKboARytZcxAnaM2OqAXmG6eRWWSoZe6',
    'ItYQne4hRUrfCdQ8MBd7I5DG9TPxwwHPwNo7dTIhk7FEwjgwJfX5oHGlCip+wXQPa9wRyCdI65vSB80zObMIF2E8',
    'syIt+PBpvDmNlc1DjvGE/PsRHMYakhfIevfjTK1zgazGNTK//YB3IGBCnwcMHkRFFmS8zkuoxBauS4h6Jd0QErPu',
    'tJCvkbE1HWRfA7PQJZ2LF18HmWiqfFpZOO2Mlkxmg55P5YkkXS6WeA6FJ6lol18HyYFvQkU80dyZnsNoHhA+nvBg',
    '5HbVaSF3CRJA7AVf1HTquG1xq86YaqiGzaiyrbmsf1baw2WItAo376IK',
  ].join(''),
  'base64',
);

export function zstdFramePlain(): Buffer {
  let text = '';
  let state = 7;
  for (let index = 0; index < 200; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += `row ${index} is ${state.toString(36)}\n`;
  }
  return Buffer.from(text);
}

/** A frame that stands for `mebibytes` MiB of one byte, in run-length blocks: a decompression bomb. */
export function zstdBomb(mebibytes: number): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  head.writeUInt32LE(mebibytes * 1024 * 1024, 5);
  const blocks = Array.from({ length: mebibytes * 8 }, (_, index, last = mebibytes * 8 - 1) => {
    const block = Buffer.alloc(4, 0x41);
    block.writeUIntLE((index === last ? 1 : 0) | (1 << 1) | ((128 * 1024) << 3), 0, 3);
    return block;
  });
  return Buffer.concat([head, ...blocks]);
}
