import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_CONTENT } from '../chunks/content.ts';
import { fileEntry, manifestOf } from '../testing/manifests.ts';
import {
  activity,
  scratchRepository,
  type Writer,
  writerOf,
} from '../testing/scratch-repository.ts';
import { compareNames, type TreeEntry } from './tree-entry.ts';

let dispose: () => Promise<void>;
let path: string;
let writer: Writer;

beforeEach(async () => {
  ({ path, dispose } = await scratchRepository());
  writer = await writerOf(path);
});
afterEach(async () => {
  await writer.close();
  await dispose();
});

const anyName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter(
    (name) => name !== '.' && name !== '..' && !/[/\0]/.test(name) && Buffer.byteLength(name) < 255,
  );

const named = (names: readonly string[]): TreeEntry[] =>
  names.map((name) => fileEntry(name, EMPTY_CONTENT));

/** Bytes added to the repository by `run`, sealed. */
async function added(run: () => Promise<string>): Promise<{ tree: string; bytes: number }> {
  const before = writer.statistics().addedBytes;
  const tree = await run();
  await writer.commitSnapshot((statistics) => manifestOf(tree, statistics), activity);
  return { tree, bytes: writer.statistics().addedBytes - before };
}

describe('writeTree()', () => {
  it('gives back the entries in name order; the id depends on nothing but the entries', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyName, { maxLength: 700 }), async (names) => {
        const tree = await writer.writeTree(named(names));
        expect(await writer.writeTree(named([...names].reverse()), tree)).toBe(tree);
        const sorted = named([...names].sort(compareNames));
        expect(await writer.reader.readTree(tree)).toEqual(sorted);
      }),
      { numRuns: 15 },
    );
  });

  it('keeps every kind of entry as it was', async () => {
    const child = await writer.writeTree([]);
    const base = { mode: 0o4755, uid: 0, gid: 4_000_000_000, mtimeNs: '-1' };
    const entries: TreeEntry[] = [
      { ...base, type: 'directory', name: 'a', tree: child },
      { ...base, type: 'symlink', name: 'b', target: '../elsewhere' },
      { ...base, type: 'database', name: 'c', content: EMPTY_CONTENT },
      { ...fileEntry('d', EMPTY_CONTENT), changedWhileReading: true },
    ];
    expect(await writer.reader.readTree(await writer.writeTree(entries))).toEqual(entries);
  });

  it('one changed, added or removed file of 100,000 rewrites little', async () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `attachment-${index}.bin`);
    const entries = named(names);
    const first = await added(() => writer.writeTree(entries));
    expect(first.bytes).toBeGreaterThan(300_000);
    const changed = entries.toSpliced(77_777, 1, ...named(['attachment-5.5.bin']));
    changed[31_415] = {
      ...fileEntry(names[31_415]!, EMPTY_CONTENT),
      mtimeNs: '1800000000000000003',
    };
    const second = await added(() => writer.writeTree(changed));
    expect(second.bytes).toBeLessThan(60_000);
    const third = await added(() =>
      writer.writeTree(changed.toSpliced(9, 1, { ...changed[9]!, mode: 0o600 }), second.tree),
    );
    expect(third.bytes).toBeLessThan(4000);
    const manifest = manifestOf(first.tree, writer.statistics());
    const found = await writer.reader.findEntry(manifest, 'data/attachment-99999.bin');
    expect(found.name).toBe('attachment-99999.bin');
    await expect(writer.reader.findEntry(manifest, 'data/attachment-x')).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
  });

  it.each(['', '.', '..', 'a/b', 'a\0b', '\ud800', 'x'.repeat(256)])(
    'refuses the name %j',
    async (name) => {
      await expect(writer.writeTree(named([name]))).rejects.toMatchObject({
        code: 'INVALID_PARAMS',
      });
    },
  );

  it('refuses a name twice, and what refers to an object that is not stored', async () => {
    await expect(writer.writeTree(named(['a', 'a']))).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const content = { bytes: 5, depth: 0, ids: ['ab'.repeat(32)] };
    await expect(writer.writeTree([fileEntry('a', content)])).rejects.toMatchObject({
      code: 'REPO_CORRUPT',
    });
  });
});

describe('findEntry()', () => {
  it('finds roots, directories and files, and says what is wrong with a path', async () => {
    const inner = await writer.writeTree(named(['file']));
    const base = { mode: 0o755, uid: 1, gid: 2, mtimeNs: '3' };
    const tree = await writer.writeTree([{ ...base, type: 'directory', name: 'sub', tree: inner }]);
    const manifest = manifestOf(tree, writer.statistics());
    const { reader } = writer;
    expect(await reader.findEntry(manifest, 'data')).toMatchObject({ type: 'directory', tree });
    expect(await reader.findEntry(manifest, 'data/sub')).toMatchObject({ tree: inner });
    expect(await reader.findEntry(manifest, 'data/sub/file')).toMatchObject({ type: 'file' });
    for (const missing of ['config', 'data/nothing', 'data/sub/file2', 'database', '']) {
      await expect(reader.findEntry(manifest, missing)).rejects.toMatchObject({
        code: 'PATH_NOT_FOUND',
      });
    }
    await expect(reader.findEntry(manifest, 'data/sub/file/x')).rejects.toMatchObject({
      code: 'NOT_A_DIRECTORY',
    });
  });
});
