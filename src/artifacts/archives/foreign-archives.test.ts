import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { pictureOf } from '../../files/testing/tree-picture.ts';
import { ArchiveScratch, collect, hasProgram, runIn } from './testing/archive-scratch.ts';
import { rawTar, rawTarEntry, TAR_END } from './testing/tar-bytes.ts';
import { rawZip } from './testing/zip-bytes.ts';

const hasZip = await hasProgram('zip');
const hasZstd = await hasProgram('zstd');
const has7z = await hasProgram('7z');
const hasBsdtar = await hasProgram('bsdtar');
const MAKE_ARCHIVES = fileURLToPath(new URL('testing/make-archives.py', import.meta.url));
const LONG = `long/${'n'.repeat(180)}/${'m'.repeat(120)}.txt`;

let scratch: ArchiveScratch;
let made: string;
/** A tree on disk, for tools that archive one. */
let source: string;

beforeAll(async () => {
  scratch = await ArchiveScratch.make();
  made = scratch.fresh('made');
  source = scratch.fresh('source');
  await mkdir(join(source, 'sub'), { recursive: true });
  await mkdir(made);
  await writeFile(join(source, 'a.txt'), 'alpha', { mode: 0o640 });
  await writeFile(join(source, 'sub', 'größe – 日本.txt'), 'unicode', { mode: 0o600 });
  await writeFile(join(source, 'sub', 'big.bin'), Buffer.alloc(500_000, 'big'));
  await writeFile(join(source, 'sub', 'm'.repeat(200)), 'long', { mode: 0o755 });
  await writeFile(join(source, 'empty'), '');
  await symlink('sub/big.bin', join(source, 'link'));
  await runIn(made, 'python3', MAKE_ARCHIVES, made);
});

afterAll(async () => {
  await scratch.remove();
});

async function textsOf(archive: string): Promise<Record<string, string>> {
  const { directory } = await scratch.extract(archive);
  const texts: Record<string, string> = {};
  for (const name of ['a.txt', 'größe/日本.txt', 'empty', LONG]) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => null);
    if (text !== null) texts[name === LONG ? 'long' : name] = text;
  }
  return texts;
}

const TEXTS = { 'a.txt': 'alpha', 'größe/日本.txt': 'unicode', empty: '', long: 'long' };

/** As pictureOf, with times as archives without fractions have them. */
async function wholeSeconds(root: string): Promise<Record<string, string>> {
  const picture = Object.entries(await pictureOf(root));
  const whole = (item: string) => item.replace(/ (\d+)(\d{6})( |$)/, ' $1000000$3');
  return Object.fromEntries(picture.map(([path, item]) => [path, whole(item)]));
}

describe('archives that other tools made', () => {
  it.each(['gnu.tar', 'pax.tar', 'pax.tar.gz'])('F22: %s of python', async (name) => {
    expect(await textsOf(join(made, name))).toEqual(TEXTS);
    const { directory } = await scratch.extract(join(made, name));
    const picture = await pictureOf(directory);
    const micros = 1_700_000_000_000_000;
    expect(picture['./größe']).toBe(`directory 750 ${micros}`);
    expect(picture['./a.txt']).toMatch(new RegExp(`^file 640 ${micros} `));
    expect(picture['./link']).toBe(`symlink ${micros} größe/${'x'.repeat(150)}`);
  });

  it('F22: ustar.tar of python', async () => {
    const { long: _long, ...texts } = TEXTS;
    expect(await textsOf(join(made, 'ustar.tar'))).toEqual(texts);
  });

  it.each(['deflated.zip', 'stored.zip', 'zip64.zip', 'streamed.zip', 'streamed-zip64.zip'])(
    'F22: %s of python',
    async (name) => {
      expect(await textsOf(join(made, name))).toEqual(TEXTS);
      const { directory } = await scratch.extract(join(made, name));
      const picture = await pictureOf(directory);
      expect(picture['./dir']).toBe('directory 711 1700000000000000');
      expect(picture['./a.txt']).toMatch(/^file 640 1700000000000000 /);
      expect(picture['./link']).toMatch(/^symlink \d+ größe\/x$/);
      expect((await readFile(join(directory, 'big.bin'))).length).toBe(1_200_000);
    },
  );

  it.each(['v7', 'oldgnu', 'gnu', 'ustar', 'posix'])('F22: %s of GNU tar', async (format) => {
    const archive = scratch.fresh('archive.tar');
    const names = format === 'v7' ? ['a.txt', 'empty', 'link', 'sub/big.bin'] : ['.'];
    // Formats that are too old for long names leave them out.
    const excluded = ['--exclude', format === 'ustar' ? 'm'.repeat(200) : 'nothing'];
    await runIn(source, 'tar', `--format=${format}`, ...excluded, '-cf', archive, ...names);
    const { directory } = await scratch.extract(archive);
    const actual = await pictureOf(directory, { times: false });
    const expected = await pictureOf(source, { times: false });
    expect(Object.keys(actual).length).toBeGreaterThan(4);
    for (const [path, item] of Object.entries(actual)) {
      if (path !== '.' && path !== './sub') expect(item, path).toBe(expected[path]);
    }
    if (format === 'posix' || format === 'gnu') {
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
    }
  });

  it('F22: POSIX tar of GNU tar keeps fractions of seconds', async () => {
    const archive = scratch.fresh('archive.tar');
    await runIn(source, 'tar', '--format=posix', '-cf', archive, '.');
    const { directory } = await scratch.extract(archive);
    const { '.': _a, ...actual } = await pictureOf(directory);
    const { '.': _b, ...expected } = await pictureOf(source);
    expect(actual).toEqual(expected);
  });

  it('F22: gzip of several members, and of a tar padded to a whole tape block', async () => {
    const tar = Buffer.concat([
      rawTarEntry({ name: 'a.txt', content: 'alpha' }),
      rawTarEntry({ name: 'empty' }),
      TAR_END,
      Buffer.alloc(64 * 1024),
    ]);
    const members = [0, 700, 1500].map((at, index, all) => tar.subarray(at, all[index + 1]));
    const archive = await scratch.file(Buffer.concat(members.map((part) => gzipSync(part))));
    expect(await textsOf(archive)).toEqual({ 'a.txt': 'alpha', empty: '' });
  });

  it.skipIf(!hasZstd)('F22: zstd of several frames; damage is found', async () => {
    const archive = scratch.fresh('archive.tar');
    await runIn(source, 'sh', '-c', `tar -cf - . | zstd -q -c > ${archive}.zst`);
    await runIn(source, 'sh', '-c', `: | zstd -q -c >> ${archive}.zst`);
    const { format, directory } = await scratch.extract(`${archive}.zst`);
    expect(format).toBe('tar.zst');
    expect(await readFile(join(directory, 'a.txt'), 'utf8')).toBe('alpha');
    const bytes = await readFile(`${archive}.zst`);
    for (const at of [60, bytes.length >> 1, bytes.length - 30]) {
      const broken = Buffer.from(bytes);
      broken[at]! ^= 0x40;
      await expect(scratch.extract(await scratch.file(broken))).rejects.toMatchObject({
        name: 'HoldfastError',
      });
    }
    await expect(
      scratch.extract(await scratch.file(bytes.subarray(0, bytes.length - 40))),
    ).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
  });

  const expectSource = async (archive: string): Promise<void> => {
    const { directory } = await scratch.extract(archive);
    const { '.': _a, ...actual } = await pictureOf(directory, { times: false });
    const { '.': _b, ...expected } = await pictureOf(source, { times: false });
    expect(actual).toEqual(expected);
  };

  it.skipIf(!hasZip)('F22: zip of Info-ZIP, from a file and from a pipe', async () => {
    const archive = scratch.fresh('archive.zip');
    await runIn(source, 'zip', '-q', '-r', '-y', archive, '.');
    await expectSource(archive);
    const piped = scratch.fresh('piped.zip');
    // It cannot write links to a pipe.
    await runIn(source, 'sh', '-c', `zip -q -r - sub | cat > ${piped}`);
    const { directory } = await scratch.extract(piped);
    expect(await pictureOf(join(directory, 'sub'))).toEqual(
      await wholeSeconds(join(source, 'sub')),
    );
  });

  it.skipIf(!has7z)('F22: zip of 7-Zip', async () => {
    const archive = scratch.fresh('archive.zip');
    await runIn(source, '7z', 'a', '-tzip', '-snl', archive, '.');
    await expectSource(archive);
  });

  it.skipIf(!hasBsdtar)('F22: tar and zip of bsdtar', async () => {
    for (const format of ['pax', 'gnutar', 'zip']) {
      const archive = scratch.fresh(`archive.${format}`);
      await runIn(source, 'bsdtar', `--format=${format}`, '-cf', archive, '.');
      await expectSource(archive);
    }
  });

  it('F22: zip of yazl, which puts sizes behind contents', async () => {
    const zip = new ZipFile();
    const at = { mtime: new Date(1_700_000_000_000), mode: 0o100640 };
    zip.addBuffer(Buffer.from('alpha'), 'a.txt', at);
    zip.addFile(join(source, 'sub', 'big.bin'), 'sub/big.bin', at);
    zip.addEmptyDirectory('dir', { mtime: at.mtime, mode: 0o040711 });
    zip.end({ forceZip64Format: true, comment: '' });
    const archive = await scratch.file(await collect(zip.outputStream as AsyncIterable<Buffer>));
    const { directory, ...counts } = await scratch.extract(archive);
    expect(counts).toEqual({ format: 'zip', entries: 3, bytes: 500_005 });
    const picture = await pictureOf(directory);
    expect(picture['./dir']).toBe('directory 711 1700000000000000');
    expect(picture['./a.txt']).toMatch(/^file 640 1700000000000000 /);
  });

  it('F22: names of old systems, entries without modes, base 256 numbers, v7 directories', async () => {
    const zip = rawZip([{ name: Buffer.from([0x67, 0x72, 0x94, 0xe1, 0x65]), host: 0, flags: 0 }]);
    const fromZip = await scratch.extract(await scratch.file(zip));
    expect(await pictureOf(fromZip.directory, { times: false })).toMatchObject({
      './größe': expect.stringMatching(/^file 644 /),
    });
    const size = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    const tar = rawTar(
      { name: 'dir/', type: '\0', mode: 0o711 },
      { name: 'dir/a', content: 'alpha', size },
      { name: 'under/nothing', content: 'x' },
    );
    const fromTar = await scratch.extract(await scratch.file(tar));
    expect(await pictureOf(fromTar.directory, { times: false })).toMatchObject({
      './dir': 'directory 711',
      './under': 'directory 700',
    });
    expect(await readFile(join(fromTar.directory, 'dir/a'), 'utf8')).toBe('alpha');
  });
});
