import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { withReader } from '../../src/operations/repository-access.ts';
import type { StoreReader } from '../../src/store/store.ts';
import { rootTree } from '../../src/store/trees/read-tree.ts';
import { filesIn, treeHashes } from '../support/tree.ts';
import type { CutBench } from './bench.ts';

/** What holds after any cut, whatever was being done. */

/** A folder's content by path. */
export type Picture = Record<string, string>;

/** Of an application's folder; an empty log is none: what opens a database for a look makes one. */
export function dataPicture(data: string): Picture {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const entries = Object.entries(treeHashes(data));
  return Object.fromEntries(
    entries.filter(
      ([name, hash]) => !name.endsWith('-shm') && !(name.endsWith('-wal') && hash === empty),
    ),
  );
}

/** Each snapshot's data as it was when the snapshot was taken. */
export type Truth = ReadonlyMap<string, Picture>;

/** Ids, newest first, as a user is shown them. */
export function listed(bench: CutBench): Promise<string[]> {
  return withReader(bench.settings, async (reader) => reader.listSnapshots({}).map(({ id }) => id));
}

/** What a user does first: the next command finishes what was interrupted. */
export async function startAgain(bench: CutBench): Promise<void> {
  await bench.here({ kind: 'reconcile' });
}

/**
 * Every snapshot of `required` is listed; every listed one is known, holds byte for byte what it held, and verifies
 * deeply. The newest is restored as well: that all of them can be, the same way, is the business of other tests.
 */
export async function expectSnapshots(
  bench: CutBench,
  truth: Truth,
  required: Iterable<string>,
): Promise<void> {
  const ids = await listed(bench);
  expect(ids).toEqual(expect.arrayContaining([...required]));
  for (const id of ids) {
    expect(truth.has(id), `snapshot ${id} is listed, and nobody took it`).toBe(true);
    expect(await storedPicture(bench, id)).toEqual(truth.get(id));
  }
  if (ids.length === 0) return;
  await expectRestores(bench, ids[0]!, truth.get(ids[0]!)!);
  const verified = await bench.here({ kind: 'verify', params: { snapshots: 'all', deep: true } });
  expect(verified['verified']).toHaveLength(ids.length);
  for (const each of verified['verified']) expect(each).toMatchObject({ ok: true });
}

/** What a snapshot holds of the only root, as dataPicture tells it. */
export function storedPicture(bench: CutBench, id: string): Promise<Picture> {
  return withReader(bench.settings, async (reader) => {
    const manifest = await reader.readManifest(id);
    const [root] = manifest.roots;
    const tree = root === undefined ? null : rootTree(manifest, root);
    const picture: Picture = {};
    if (tree !== null) await addEntries(reader, tree, '', picture);
    return picture;
  });
}

async function addEntries(
  reader: StoreReader,
  tree: string,
  prefix: string,
  picture: Picture,
): Promise<void> {
  for (const entry of await reader.readTree(tree)) {
    const path = `${prefix}${entry.name}`;
    if (entry.type === 'directory') {
      picture[path] = 'directory';
      await addEntries(reader, entry.tree, `${path}/`, picture);
    } else if (entry.type === 'symlink') {
      picture[path] = `link to ${entry.target}`;
    } else {
      const hash = createHash('sha256');
      for await (const bytes of reader.readContent(entry.content)) hash.update(bytes);
      picture[path] = hash.digest('hex');
    }
  }
}

async function expectRestores(bench: CutBench, id: string, known: Picture): Promise<void> {
  const path = join(bench.home, 'restored');
  const target = { type: 'directory', path };
  try {
    await bench.here({
      kind: 'restore',
      params: { snapshotId: id, target, check: 'none', migrate: false },
    });
    expect(dataPicture(join(path, 'data'))).toEqual(known);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Life goes on: a snapshot of what is there now, a prune, and a repository without findings. */
export async function expectNextWork(bench: CutBench): Promise<void> {
  const { snapshotId } = await bench.here({ kind: 'backup' });
  expect(await listed(bench)).toContain(snapshotId);
  await bench.here({ kind: 'prune' });
  expect(await storedPicture(bench, snapshotId)).toEqual(dataPicture(bench.data));
  const checked = await bench.here({ kind: 'check', params: { readData: 'all' } });
  expect(checked['findings']).toEqual([]);
}

/** Nothing of interrupted work stays for ever. */
export function expectNoLeftovers(bench: CutBench): void {
  expect(filesIn(join(bench.repository, 'tmp'))).toEqual([]);
  expect(filesIn(join(bench.repository, 'leases'))).toEqual([]);
  expect(filesIn(join(bench.state, 'scratch'))).toEqual([]);
  expect(filesIn(join(bench.state, 'staging'))).toEqual([]);
  const swaps = filesIn(join(bench.state, 'swaps')).filter((name) => !name.startsWith('lock.db'));
  expect(swaps).toEqual([]);
  const hidden = (readdirSync(bench.disk, { recursive: true }) as string[]).filter((name) =>
    /(^|\/)\.(holdfast-staging|partial|purged|.*\.tmp$)/.test(name),
  );
  expect(hidden).toEqual([]);
}
