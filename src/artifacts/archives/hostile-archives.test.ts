import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../kernel/errors.ts';
import type { ExtractLimits } from './extract-limits.ts';
import {
  ArchiveScratch,
  bytesOfArchive,
  directoryEntry,
  fileEntry,
} from './testing/archive-scratch.ts';
import {
  type RawTarEntry,
  rawPax,
  rawTar,
  rawTarEntry,
  rawTarHeader,
  TAR_END,
} from './testing/tar-bytes.ts';
import { type RawZipEntry, rawZip, rawZipEnd } from './testing/zip-bytes.ts';

let scratch: ArchiveScratch;

beforeEach(async () => {
  scratch = await ArchiveScratch.make();
});

afterEach(async () => {
  await scratch.remove();
});

interface Hostile {
  readonly what: string;
  readonly archive: () => Buffer | Promise<Buffer>;
  readonly code: ErrorCode;
  readonly limits?: Partial<ExtractLimits>;
}

/** Refused with its code, quickly, and nothing but the archive is there afterwards. */
async function expectRefused({ archive, code, limits = {} }: Hostile): Promise<void> {
  const path = await scratch.file(await archive());
  const before = await scratch.names();
  await expect(scratch.extract(path, { limits })).rejects.toMatchObject({
    name: 'HoldfastError',
    code,
  });
  expect(await scratch.names()).toEqual(before);
}

const tarOf =
  (...entries: readonly RawTarEntry[]) =>
  (): Buffer =>
    rawTar(...entries);
const zipOf =
  (...entries: readonly RawZipEntry[]) =>
  (): Buffer =>
    rawZip(entries);

const GOOD: RawTarEntry = { name: 'good', content: 'good' };

const NAMES: readonly (readonly [string, string])[] = [
  ['a step out', '../x'],
  ['an absolute path', '/x'],
  ['a step out from within', 'a/../../x'],
  ['a step back within', 'a/../x'],
  ['a step out by backslash', 'a\\..\\x'],
  ['an absolute path by backslash', '\\x'],
  ['a network path', '\\\\server\\x'],
  ['a drive', 'C:/x'],
  ['a drive without a slash', 'c:x'],
  ['a drive behind a dot', './C:x'],
  ['an empty component', 'a//x'],
  ['a dot within', 'a/./x'],
  ['a long component', `a/${'n'.repeat(256)}`],
  ['a long path', `${'abcdefgh/'.repeat(460)}x`],
  ['only dots', '..'],
  ['two slashes in front', '//x'],
];

const HOSTILE_TAR: readonly Hostile[] = [
  ...NAMES.map(([what, path]) => ({
    what: `${what} in a pax header`,
    archive: tarOf(GOOD, rawPax({ path }), { content: 'x' }),
    code: 'PATH_UNSAFE' as const,
  })),
  ...NAMES.filter(([, path]) => path.length <= 100).map(([what, path]) => ({
    what,
    archive: tarOf(GOOD, { name: path, content: 'x' }),
    code: 'PATH_UNSAFE' as const,
  })),
  {
    what: 'a NUL in a pax path',
    archive: tarOf(rawPax({ path: 'a\0b' }), {}),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a step out in a prefix',
    archive: tarOf({ prefix: '..', name: 'x' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a step out in a GNU long name',
    archive: tarOf({ name: '././@LongLink', type: 'L', content: '../x\0' }, {}),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a name that is not UTF-8',
    archive: tarOf({ name: Buffer.from([0x61, 0xff]) }),
    code: 'PATH_UNSAFE',
  },
  { what: 'no name at all', archive: tarOf({ name: '' }), code: 'PATH_UNSAFE' },
  {
    what: 'a file through a symlink',
    archive: tarOf({ name: 'l', type: '2', linkName: '/tmp' }, { name: 'l/x', content: 'x' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a file through a symlink that comes later',
    archive: tarOf({ name: 'l/x', content: 'x' }, { name: 'l', type: '2', linkName: '/tmp' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a symlink in the place of a directory',
    archive: tarOf({ name: 'l/', type: '5' }, { name: 'l', type: '2', linkName: '/tmp' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a file through a file',
    archive: tarOf(GOOD, { name: 'good/x', content: 'x' }),
    code: 'PATH_UNSAFE',
  },
  { what: 'the same name twice', archive: tarOf(GOOD, GOOD), code: 'PATH_UNSAFE' },
  {
    what: 'the same name twice, written differently',
    archive: tarOf(GOOD, { name: './good' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a directory twice',
    archive: tarOf({ name: 'd', type: '5' }, { name: 'd/', type: '5' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a link as the archive itself',
    archive: tarOf({ name: './', type: '2', linkName: '/' }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'a hard link',
    archive: tarOf(GOOD, { name: 'h', type: '1', linkName: 'good' }),
    code: 'UNSUPPORTED_FORMAT',
  },
  {
    what: 'a hard link outside',
    archive: tarOf({ type: '1', linkName: '/etc/passwd' }),
    code: 'UNSUPPORTED_FORMAT',
  },
  ...['3', '4', '6', 'D', 'M', 'S', 'V', 'Z', '\x01'].map((type) => ({
    what: `an entry of type ${JSON.stringify(type)}`,
    archive: tarOf(GOOD, { name: 'x', type }),
    code: 'UNSUPPORTED_FORMAT' as const,
  })),
  {
    what: 'a sparse file in pax',
    archive: tarOf(rawPax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }), GOOD),
    code: 'UNSUPPORTED_FORMAT',
  },
  {
    what: 'names in no known encoding',
    archive: tarOf(rawPax({ hdrcharset: 'BINARY' }), GOOD),
    code: 'UNSUPPORTED_FORMAT',
  },
  {
    what: 'one path for all',
    archive: tarOf(rawPax({ path: 'x' }, 'g'), GOOD),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'one size for all',
    archive: tarOf(rawPax({ size: '9' }, 'g'), GOOD),
    code: 'VERIFY_FAILED',
  },
  ...['-1', '1e3', '0x10', '99999999999999999999', ' 4'].map((size) => ({
    what: `the size "${size}" in pax`,
    archive: tarOf(rawPax({ size }), GOOD),
    code: 'VERIFY_FAILED' as const,
  })),
  {
    what: 'the time "soon"',
    archive: tarOf(rawPax({ mtime: 'soon' }), GOOD),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a time at the end of days',
    archive: tarOf(rawPax({ mtime: '9'.repeat(30) }), GOOD),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a negative size',
    archive: tarOf({ ...GOOD, size: Buffer.alloc(12, 0xff) }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a size beyond all numbers',
    archive: tarOf({ ...GOOD, size: Buffer.from([0x80, ...Array(11).fill(0x7f)]) }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a size of letters',
    archive: tarOf({ ...GOOD, size: '0000000008x' }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a size larger than the archive',
    archive: tarOf({ ...GOOD, size: '00000077777' }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a wrong checksum',
    archive: tarOf(GOOD, { name: 'x', badChecksum: true }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a directory with a content',
    archive: tarOf({ name: 'd', type: '5', content: 'x' }),
    code: 'VERIFY_FAILED',
  },
  { what: 'a symlink to nothing', archive: tarOf({ type: '2' }), code: 'VERIFY_FAILED' },
  {
    what: 'a symlink with a NUL',
    archive: tarOf(rawPax({ linkpath: 'a\0b' }), { type: '2' }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a symlink that is too long',
    archive: tarOf(rawPax({ linkpath: 'l'.repeat(5000) }), { type: '2' }),
    code: 'VERIFY_FAILED',
  },
  ...[
    '7 path',
    '0 path=x\n',
    '999 path=x\n',
    '-5 path=x\n',
    '9 path=xy',
    'path=x\n',
    '11 pathxyz\n',
  ].map((content) => ({
    what: `the pax record ${JSON.stringify(content)}`,
    archive: tarOf({ name: 'pax', type: 'x', content }, GOOD),
    code: 'VERIFY_FAILED' as const,
  })),
  {
    what: 'an entry described twice',
    archive: tarOf(rawPax({ path: 'a' }), rawPax({ path: 'b' }), GOOD),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'descriptions without an entry',
    archive: tarOf(rawPax({ path: 'a' })),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a giant pax header',
    archive: tarOf({ ...rawPax({ path: 'a' }), size: '77777777777' }),
    code: 'LIMIT_EXCEEDED',
  },
  {
    what: 'a giant GNU long name',
    archive: tarOf({ type: 'L', size: '77777777777' }),
    code: 'LIMIT_EXCEEDED',
  },
  {
    what: 'global headers without end',
    archive: tarOf(...Array.from({ length: 20 }, () => rawPax({ comment: 'x' }, 'g'))),
    code: 'LIMIT_EXCEEDED',
    limits: { entriesMax: 10 },
  },
  {
    what: 'more entries than allowed',
    archive: tarOf(...Array.from({ length: 11 }, (_, index) => ({ name: `f${index}` }))),
    code: 'LIMIT_EXCEEDED',
    limits: { entriesMax: 10 },
  },
  {
    what: 'more bytes than allowed',
    archive: tarOf(GOOD, { content: 'xxxxx' }),
    code: 'LIMIT_EXCEEDED',
    limits: { bytesMax: 8 },
  },
  {
    what: 'a larger file than allowed',
    archive: tarOf(GOOD),
    code: 'LIMIT_EXCEEDED',
    limits: { fileBytesMax: 3 },
  },
  {
    what: 'an entry of an exabyte',
    archive: tarOf({ ...GOOD, size: Buffer.from([0x80, 0, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0]) }),
    code: 'LIMIT_EXCEEDED',
  },
  { what: 'no end', archive: () => rawTarEntry(GOOD), code: 'VERIFY_FAILED' },
  {
    what: 'an end within an entry',
    archive: () => rawTarEntry({ content: 'x'.repeat(2000) }).subarray(0, 1500),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'an end within a header',
    archive: () => Buffer.concat([rawTarEntry(GOOD), rawTarHeader(GOOD).subarray(0, 100)]),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a second archive behind',
    archive: () => Buffer.concat([rawTar(GOOD), rawTar(GOOD)]),
    code: 'VERIFY_FAILED',
  },
];

const BOMB = Buffer.concat([
  rawTarHeader({ name: 'zeros', size: '00706100000' }),
  Buffer.alloc(119_209_984),
  TAR_END,
]);

const HOSTILE_GZIP: readonly Hostile[] = [
  { what: 'a gzip bomb', archive: () => gzipSync(BOMB, { level: 9 }), code: 'LIMIT_EXCEEDED' },
  {
    what: 'a gzip bomb behind the end',
    archive: () => gzipSync(Buffer.concat([rawTar(GOOD), Buffer.alloc(70 * 1024 * 1024)])),
    code: 'LIMIT_EXCEEDED',
  },
  {
    what: 'a gzip that is cut off',
    archive: () => gzipSync(rawTar(GOOD)).subarray(0, -9),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a gzip whose checksum is wrong',
    archive: () => {
      const bytes = gzipSync(rawTar(GOOD));
      bytes[bytes.length - 6]! ^= 1;
      return bytes;
    },
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a gzip of no archive',
    archive: () => gzipSync('hello '.repeat(200)),
    code: 'VERIFY_FAILED',
  },
  { what: 'an empty gzip', archive: () => gzipSync(''), code: 'VERIFY_FAILED' },
];

const ZIP_GOOD: RawZipEntry = { name: 'good', content: 'good' };

function zipWithTwoEnds(): Buffer {
  const inner = rawZip([{ name: 'inner', content: 'inner' }]);
  const outer = rawZip([ZIP_GOOD]);
  return Buffer.concat([outer.subarray(0, -2), Buffer.from([inner.length, 0]), inner]);
}

const HOSTILE_ZIP: readonly Hostile[] = [
  ...NAMES.map(([what, name]) => ({
    what,
    archive: zipOf(ZIP_GOOD, { name, content: 'x' }),
    code: 'PATH_UNSAFE' as const,
  })),
  { what: 'a NUL in a name', archive: zipOf({ name: 'a\0b' }), code: 'PATH_UNSAFE' },
  {
    what: 'a name that is not UTF-8',
    archive: zipOf({ name: Buffer.from([0x61, 0xff]) }),
    code: 'PATH_UNSAFE',
  },
  {
    what: 'backslashes of an old system',
    archive: zipOf({ name: 'a\\b', host: 0, flags: 0 }),
    code: 'PATH_UNSAFE',
  },
  { what: 'the same name twice', archive: zipOf(ZIP_GOOD, ZIP_GOOD), code: 'PATH_UNSAFE' },
  {
    what: 'a file through a symlink',
    archive: zipOf({ name: 'l', content: '/tmp', unixMode: 0o120777 }, { name: 'l/x' }),
    code: 'PATH_UNSAFE',
  },
  { what: 'a named pipe', archive: zipOf({ unixMode: 0o010644 }), code: 'UNSUPPORTED_FORMAT' },
  { what: 'a device', archive: zipOf({ unixMode: 0o020644 }), code: 'UNSUPPORTED_FORMAT' },
  { what: 'a socket', archive: zipOf({ unixMode: 0o140644 }), code: 'UNSUPPORTED_FORMAT' },
  { what: 'an encrypted entry', archive: zipOf({ flags: 0x801 }), code: 'UNSUPPORTED_FORMAT' },
  {
    what: 'a strongly encrypted entry',
    archive: zipOf({ flags: 0x841 }),
    code: 'UNSUPPORTED_FORMAT',
  },
  { what: 'an odd method', archive: zipOf({ method: 14 }), code: 'UNSUPPORTED_FORMAT' },
  { what: 'a wrong checksum', archive: zipOf(ZIP_GOOD, { crc: 1 }), code: 'VERIFY_FAILED' },
  {
    what: 'a size that is too small',
    archive: zipOf({ ...ZIP_GOOD, bytes: 2 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a size that is too large',
    archive: zipOf({ ...ZIP_GOOD, bytes: 9 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a large content with a size that is too small',
    archive: zipOf({ content: Buffer.alloc(2_000_000, 'abc'), bytes: 1_000_000 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a compressed size that is too large',
    archive: zipOf({ ...ZIP_GOOD, compressedBytes: 500 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a stored entry of two sizes',
    archive: zipOf({ ...ZIP_GOOD, method: 0, bytes: 3 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'no deflate stream',
    archive: zipOf({ ...ZIP_GOOD, method: 0, localMethod: 8 }),
    code: 'VERIFY_FAILED',
  },
  { what: 'two names', archive: zipOf({ ...ZIP_GOOD, localName: 'evil' }), code: 'VERIFY_FAILED' },
  {
    what: 'two names of different length',
    archive: zipOf({ ...ZIP_GOOD, localName: '../evil' }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a directory with a content',
    archive: zipOf({ name: 'd/', content: 'x', unixMode: 0o040755 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a symlink of a megabyte',
    archive: zipOf({ content: 'x'.repeat(1_000_000), unixMode: 0o120777 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'entries that overlap',
    archive: () => rawZip([ZIP_GOOD, { ...ZIP_GOOD, name: 'g00d', offset: 0 }]),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'something in front',
    archive: () => rawZip([ZIP_GOOD], { prefix: Buffer.from('PK\x03\x04junk') }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'something before its directory',
    archive: () => rawZip([ZIP_GOOD], { gap: Buffer.from('hidden') }),
    code: 'VERIFY_FAILED',
  },
  { what: 'two ends', archive: zipWithTwoEnds, code: 'VERIFY_FAILED' },
  {
    what: 'an end in its comment',
    archive: () => rawZip([ZIP_GOOD], { comment: rawZipEnd(0, 0, 0) }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'something behind',
    archive: () => Buffer.concat([rawZip([ZIP_GOOD]), Buffer.from('x')]),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'fewer entries than it says',
    archive: () => rawZip([ZIP_GOOD], { entries: 2 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'more entries than it says',
    archive: () => rawZip([ZIP_GOOD, { name: 'x' }], { entries: 1 }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'an extra field without end',
    archive: zipOf({ extra: Buffer.from([1, 0, 0xff, 0xff]) }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'an offset beyond the file',
    archive: zipOf({ offset: 0x7fffffff }),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a zip that is cut off',
    archive: () => rawZip([ZIP_GOOD]).subarray(0, -30),
    code: 'VERIFY_FAILED',
  },
  {
    what: 'a zip bomb',
    archive: zipOf({ content: Buffer.alloc(100 * 1024 * 1024) }),
    code: 'LIMIT_EXCEEDED',
  },
  {
    what: 'more entries than allowed',
    archive: zipOf(ZIP_GOOD, { name: 'x' }),
    code: 'LIMIT_EXCEEDED',
    limits: { entriesMax: 1 },
  },
  {
    what: 'more bytes than allowed',
    archive: zipOf(ZIP_GOOD, { content: 'xxxxx' }),
    code: 'LIMIT_EXCEEDED',
    limits: { bytesMax: 8 },
  },
];

const HOSTILE_OTHERS: readonly Hostile[] = [
  { what: 'an empty file', archive: () => Buffer.alloc(0), code: 'UNSUPPORTED_FORMAT' },
  { what: 'text', archive: () => Buffer.from('hello '.repeat(200)), code: 'UNSUPPORTED_FORMAT' },
  { what: 'xz', archive: () => Buffer.from('fd377a585a000004', 'hex'), code: 'UNSUPPORTED_FORMAT' },
  {
    what: 'half a block',
    archive: () => rawTarHeader(GOOD).subarray(0, 256),
    code: 'UNSUPPORTED_FORMAT',
  },
];

describe('hostile archives leave nothing behind', () => {
  describe.each([
    ['tar', HOSTILE_TAR],
    ['tar.gz', HOSTILE_GZIP],
    ['zip', HOSTILE_ZIP],
    ['neither', HOSTILE_OTHERS],
  ])('T-34, T-D22, Z-D12, Z-D13: %s', (_format, cases) => {
    it.each(cases)('$what: $code', expectRefused);
  });

  it('T-D22: setuid, setgid and sticky bits are dropped', async () => {
    const { pictureOf } = await import('../../files/testing/tree-picture.ts');
    const tar = rawTar({ name: 's', mode: 0o7755 }, { name: 'd', type: '5', mode: 0o7700 });
    const zip = rawZip([
      { name: 's', unixMode: 0o107755 },
      { name: 'd/', unixMode: 0o047700 },
    ]);
    for (const bytes of [tar, zip]) {
      const { directory } = await scratch.extract(await scratch.file(bytes));
      const picture = await pictureOf(directory, { times: false });
      expect(picture['./s']).toMatch(/^file 755 /);
      expect(picture['./d']).toBe('directory 700');
    }
  });

  it('T-34: symlinks come back as they are, made last, and are never followed', async () => {
    const { readlink } = await import('node:fs/promises');
    const bytes = rawTar({ name: 'l', type: '2', linkName: '../../../etc' }, GOOD);
    const path = await scratch.file(bytes);
    const { directory } = await scratch.extract(path);
    expect(await readlink(`${directory}/l`)).toBe('../../../etc');
    await expect(scratch.extract(path, { symlinks: 'refuse' })).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
  });

  it('Z-D6: an archive that is cut off anywhere ends in an error', async () => {
    const entries = [
      directoryEntry('d'),
      fileEntry('d/a', 'a'.repeat(3000)),
      fileEntry('d/b', Buffer.alloc(300_000, 'xyz')),
    ];
    for (const format of ['tar', 'tar.gz', 'zip'] as const) {
      const whole = await bytesOfArchive(entries, format);
      // A tar archive is whole with the first of the zero blocks at its end.
      const end = format === 'tar' ? whole.length - 1023 : whole.length - 1;
      const step = Math.ceil(end / 60);
      for (let length = end; length > 0; length -= step) {
        const path = await scratch.file(whole.subarray(0, length));
        const before = await scratch.names();
        await expect(scratch.extract(path), `${format} of ${length} bytes`).rejects.toMatchObject({
          name: 'HoldfastError',
        });
        expect(await scratch.names()).toEqual(before);
      }
    }
  });
});
