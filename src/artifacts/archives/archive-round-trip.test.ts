import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pictureOf } from '../../files/testing/tree-picture.ts';
import { quietActivity } from '../../kernel/activity.ts';
import type { ArchiveEntry, ArchiveFormat } from './archive-entry.ts';
import {
  ArchiveScratch,
  bytesOfArchive,
  collect,
  directoryEntry,
  each,
  fileEntry,
  hasProgram,
  linkEntry,
  runIn,
} from './testing/archive-scratch.ts';
import { writeArchive } from './write-archive.ts';

const hasZstd = await hasProgram('zstd');
const hasUnzip = await hasProgram('unzip');

let scratch: ArchiveScratch;

beforeAll(async () => {
  scratch = await ArchiveScratch.make();
});

afterAll(async () => {
  await scratch.remove();
});

const FORMATS: readonly ArchiveFormat[] = ['tar', 'tar.gz', 'tar.zst', 'zip'];
const formatsHere = FORMATS.filter((format) => format !== 'tar.zst' || hasZstd);

const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
    fc.constantFrom('a b', 'ä', '日本語', 'x\\y', '-rf', 'new\nline', '\u{1F980}', 'e\u0301'),
    fc.integer({ min: 60, max: 255 }).map((length) => 'n'.repeat(length)),
  )
  .filter((text) => !/[/\0\p{Surrogate}]/u.test(text) && text !== '.' && text !== '..')
  .filter((text) => Buffer.byteLength(text) <= 255 && !/^[A-Za-z]:/.test(text))
  .filter((text) => !text.startsWith('\\') && !text.split('\\').includes('..'));

const time = fc.oneof(
  fc.integer({ min: -2_000_000_000_000, max: 4_200_000_000_000 }),
  fc.constantFrom(0, -1, 1, 1_700_000_000_123, 4_200_000_000_000),
);

const content = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.constantFrom(511, 512, 513, 65_536, 300_000).map((length) => new Uint8Array(length).fill(7)),
);

type Node = { readonly kind: string; readonly mode: number; readonly ms: number } & (
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'directory'; readonly children: Readonly<Record<string, Node>> }
);

const target = fc.oneof(
  name,
  fc.constantFrom('/etc/passwd', '../../up', 'a/../b', 'l'.repeat(300)),
);
const shared = { mode: fc.integer({ min: 0, max: 0o777 }), ms: time };
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('file' as const), bytes: content, ...shared }),
    fc.record({ kind: fc.constant('link' as const), target, ...shared }),
    fc.record({
      kind: fc.constant('directory' as const),
      children: fc.dictionary(name, tie('node'), { maxKeys: 5, noNullPrototype: true }),
      ...shared,
    }),
  ),
}));
const tree = fc.dictionary(name, node, { maxKeys: 6, noNullPrototype: true });

function entriesOf(children: Readonly<Record<string, Node>>, above = ''): ArchiveEntry[] {
  return Object.entries(children).flatMap(([child, item]) => {
    const path = `${above}${child}`;
    const common = { path, mode: item.mode, modifiedMs: item.ms, bytes: 0 };
    if (item.kind === 'link') {
      return [{ ...common, type: 'symlink' as const, linkTarget: item.target }];
    }
    if (item.kind === 'directory') {
      return [{ ...common, type: 'directory' as const }, ...entriesOf(item.children, `${path}/`)];
    }
    const { bytes } = item;
    return [
      { ...common, type: 'file' as const, bytes: bytes.length, content: () => each([bytes]) },
    ];
  });
}

/** The same as pictureOf makes of a directory, of entries. */
async function expectedPicture(entries: readonly ArchiveEntry[]): Promise<Record<string, string>> {
  const { createHash } = await import('node:crypto');
  const picture: Record<string, string> = {};
  for (const entry of entries) {
    const micros = BigInt(entry.modifiedMs) * 1000n;
    const mode = entry.mode.toString(8);
    if (entry.type === 'symlink') picture[entry.path] = `symlink ${micros} ${entry.linkTarget}`;
    else if (entry.type === 'directory') picture[entry.path] = `directory ${mode} ${micros}`;
    else {
      const hash = createHash('sha256').update(await collect(entry.content!()));
      picture[entry.path] = `file ${mode} ${micros} ${hash.digest('hex').slice(0, 16)}`;
    }
  }
  return picture;
}

async function pictureBelow(directory: string): Promise<Record<string, string>> {
  const { '.': _root, ...picture } = await pictureOf(directory);
  return Object.fromEntries(
    Object.entries(picture).map(([path, item]) => [path.replace(/^\.\//, ''), item]),
  );
}

describe('archives that Holdfast writes', () => {
  for (const format of formatsHere) {
    it(`F22: any tree comes back from ${format} with contents, modes, times and links`, async () => {
      await fc.assert(
        fc.asyncProperty(tree, async (children) => {
          const entries = entriesOf(children);
          const { directory, ...counts } = await scratch.extract(
            await scratch.archive(entries, format),
          );
          const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
          expect(counts).toEqual({ format, entries: entries.length, bytes });
          expect(await pictureBelow(directory)).toEqual(await expectedPicture(entries));
        }),
        { numRuns: 25 },
      );
    });
  }

  const SAMPLE = [
    directoryEntry('data'),
    fileEntry('data/app.db', 'x'.repeat(5000), 0o600),
    fileEntry('data/large.bin', Buffer.alloc(700_000, 'abcdefg'), 0o644),
    fileEntry('data/empty', '', 0o400),
    fileEntry(`data/${'long'.repeat(60)}`, 'long name', 0o755),
    fileEntry('data/größe – 日本.txt', 'unicode', 0o644),
    linkEntry('data/current', 'app.db'),
  ];

  it('F22: the same entries are the same bytes, whatever the time zone', async () => {
    for (const format of formatsHere) {
      const first = await bytesOfArchive(SAMPLE, format);
      const zone = process.env['TZ'];
      process.env['TZ'] = 'Pacific/Kiritimati';
      try {
        expect(first.equals(await bytesOfArchive(SAMPLE, format))).toBe(true);
      } finally {
        if (zone === undefined) delete process.env['TZ'];
        else process.env['TZ'] = zone;
      }
    }
  });

  for (const format of formatsHere.filter((known) => known !== 'zip')) {
    it(`F22: tar reads ${format} as it was meant`, async () => {
      const archive = await scratch.archive(SAMPLE, format);
      const directory = scratch.fresh('by-tar');
      await runIn(directory, 'tar', '-x', '-p', '-f', archive);
      expect(await pictureBelow(directory)).toEqual(await expectedPicture(SAMPLE));
    });
  }

  it.skipIf(!hasUnzip)('F22: unzip reads zip as it was meant, to the second', async () => {
    const archive = await scratch.archive(SAMPLE, 'zip');
    const directory = scratch.fresh('by-unzip');
    await runIn(directory, 'unzip', '-q', archive);
    const wholeSeconds = SAMPLE.map((entry) => ({
      ...entry,
      modifiedMs: Math.floor(entry.modifiedMs / 1000) * 1000,
    }));
    const actual = await pictureBelow(directory);
    const expected = await expectedPicture(wholeSeconds);
    // It gives links the time of now.
    delete actual['data/current'];
    delete expected['data/current'];
    expect(actual).toEqual(expected);
  });

  it('F22: python reads tar and zip, and finds no fault in them', async () => {
    const script = `
import sys, tarfile, zipfile
if sys.argv[1] == 'zip':
    archive = zipfile.ZipFile(sys.argv[2])
    assert archive.testzip() is None
    print(sorted((item.filename, item.file_size) for item in archive.infolist()))
else:
    archive = tarfile.open(sys.argv[2])
    print(sorted((item.name + ('/' if item.isdir() else ''), item.size) for item in archive))
`;
    const expected = await runIn(
      scratch.root,
      'python3',
      '-c',
      'import json, sys; print(sorted(map(tuple, json.loads(sys.argv[1]))))',
      JSON.stringify(
        SAMPLE.map(({ path, type, bytes, linkTarget }) => [
          type === 'directory' ? `${path}/` : path,
          bytes,
          linkTarget,
        ]).map(([path, bytes]) => [path, bytes]),
      ),
    );
    const tar = await scratch.archive(SAMPLE, 'tar.gz');
    expect(await runIn(scratch.root, 'python3', '-c', script, 'tar', tar)).toBe(expected);
    const zip = await scratch.archive(
      SAMPLE.filter(({ type }) => type !== 'symlink'),
      'zip',
    );
    const withoutLink = expected.replace(/\('data\/current', 0\), /, '');
    expect(await runIn(scratch.root, 'python3', '-c', script, 'zip', zip)).toBe(withoutLink);
  });

  it('F22: sizes that headers of tar and zip cannot hold stand where others look for them', async () => {
    const entry = { ...fileEntry('large', ''), bytes: 9 * 2 ** 30 };
    async function* content(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(1024 * 1024);
    }
    const startOf = async (format: ArchiveFormat): Promise<Buffer> => {
      const archive = writeArchive(each([{ ...entry, content }]), format, quietActivity());
      for await (const piece of archive) return Buffer.from(piece);
      throw new Error('it is empty');
    };
    const tar = await scratch.file(await startOf('tar'));
    const script = 'import sys, tarfile; print(tarfile.open(sys.argv[1]).next().size)';
    const size = await runIn(scratch.root, 'python3', '-c', script, tar);
    expect(size.trim()).toBe(String(entry.bytes));
    const zip = await startOf('zip');
    // The header says "see the zip64 field", so that the sizes behind the content are of 64 bits.
    expect(zip.readUInt32LE(22)).toBe(0xffffffff);
    expect(zip.readUInt16LE(4)).toBe(45);
  });

  it('F22: more entries than 16 bits can count are a zip64 archive', async () => {
    const entries = Array.from({ length: 65_540 }, (_, index) => fileEntry(`f${index}`, ''));
    const path = await scratch.archive(entries, 'zip');
    const script = 'import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))';
    expect((await runIn(scratch.root, 'python3', '-c', script, path)).trim()).toBe('65540');
    await expect(scratch.extract(path, { limits: { entriesMax: 65_539 } })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it.each(formatsHere)(
    'a content that is not as long as its entry says ends %s',
    async (format) => {
      for (const said of [9, 11, 400_000]) {
        const entry = { ...fileEntry('a', '0123456789'), bytes: said };
        await expect(bytesOfArchive([entry], format)).rejects.toMatchObject({
          code: 'VERIFY_FAILED',
        });
      }
    },
  );

  it.each(formatsHere)('what the source throws is what the reader of %s gets', async (format) => {
    const failing = fileEntry('a', Buffer.alloc(500_000));
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1000);
      throw new Error('the disk is on fire');
    }
    await expect(bytesOfArchive([{ ...failing, content }], format)).rejects.toThrow('on fire');
  });

  it.each(formatsHere)(
    '%s asks for no more than it hands on, and stops when cancelled',
    async (format) => {
      const controller = new AbortController();
      let asked = 0;
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (;;) {
          asked += 1;
          yield Buffer.alloc(64 * 1024, asked);
        }
      }
      const entry = { ...fileEntry('a', ''), bytes: 2 ** 40, content: endless };
      const archive = writeArchive(each([entry]), format, quietActivity(controller.signal));
      const reading = archive[Symbol.asyncIterator]();
      await reading.next();
      const askedAtFirst = asked;
      // A megabyte or so may be under way inside of a compressor, and what it makes much smaller.
      expect(askedAtFirst).toBeLessThan(format === 'tar' ? 4 : 2000);
      controller.abort();
      await expect(
        (async () => {
          while (!(await reading.next()).done);
        })(),
      ).rejects.toThrow();
    },
  );

  it.each(formatsHere)(
    'a reader that stops half-way lets go of what %s is made of',
    async (format) => {
      let open = 0;
      async function* content(): AsyncGenerator<Uint8Array> {
        open += 1;
        try {
          for (let at = 0; ; at += 1) yield Buffer.from(`${'noise'.repeat(20_000)}${at}`);
        } finally {
          open -= 1;
        }
      }
      const entries = each([{ ...fileEntry('a', ''), bytes: 2 ** 40, content }]);
      for await (const piece of writeArchive(entries, format, quietActivity())) {
        expect(piece.length).toBeGreaterThan(0);
        // The first pieces of a compressor come before any content does.
        if (open > 0) break;
      }
      expect(open).toBe(0);
    },
  );

  it.each(formatsHere)('a path that leads out of %s is not written', async (format) => {
    for (const path of ['../x', '/x', 'a//b', '', 'a/../../x']) {
      await expect(bytesOfArchive([fileEntry(path, '')], format)).rejects.toMatchObject({
        code: 'PATH_UNSAFE',
      });
    }
  });
});
