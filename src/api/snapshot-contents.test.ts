import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import type { MethodParams } from '../protocol/method-map.ts';
import { initRepository } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { writerOf } from '../store/testing/scratch-repository.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
let writer: StoreWriter;

beforeEach(async () => {
  fixture = await ApiFixture.create();
  await initRepository(fixture.settings.repositoryDirectory, { clock: systemClock });
  writer = await writerOf(fixture.settings.repositoryDirectory);
});
afterEach(async () => {
  await writer.close();
  await fixture.remove();
});

type Overrides = Parameters<typeof manifestOf>[2];

const momentOf = (at: number): string => new Date(Date.UTC(2026, 0, 1) + at * 1000).toISOString();

/** A snapshot of `files`, path below data/ → content. */
async function commit(files: Record<string, string>, at: number, more: Overrides = {}) {
  const directories = new Map<string, TreeEntry[]>([['', []]]);
  for (const [path, text] of Object.entries(files)) {
    const [first, second] = path.split('/') as [string, string | undefined];
    const content = await writer.writeContent(sourceOf(Buffer.from(text)), null, quietActivity());
    const directory = second === undefined ? '' : first;
    const entries = directories.get(directory) ?? [];
    entries.push(fileEntry(second ?? first, content));
    directories.set(directory, entries);
  }
  const top = directories.get('')!;
  for (const [name, entries] of directories) {
    if (name === '') continue;
    const tree = await writer.writeTree(entries);
    top.push({ type: 'directory', name, tree, mode: 0o755, uid: 0, gid: 0, mtimeNs: '0' });
  }
  const tree = await writer.writeTree(top);
  const { id } = await writer.commitSnapshot(
    (statistics) => manifestOf(tree, statistics, { capturedAt: momentOf(at), ...more }),
    quietActivity(),
  );
  return id;
}

/** Every page of a search, joined. */
async function findAll(params: MethodParams<'snapshot.find'>) {
  const found: [string, string][] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof fixture.ask<'snapshot.find'>>> = await fixture.ask(
      'snapshot.find',
      { ...params, cursor },
    );
    found.push(...page.items.map(({ snapshotId, path }) => [snapshotId, path] as [string, string]));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}

describe('snapshot.find', () => {
  it('F54: tells each version of a path once, in the newest snapshot that holds it', async () => {
    const first = await commit({ 'a.txt': '1', 'sub/b.txt': '1', 'c.log': '1' }, 1);
    const second = await commit({ 'a.txt': '1', 'sub/b.txt': '2', 'c.log': '1' }, 2);
    const third = await commit({ 'sub/b.txt': '2', 'c.log': '1' }, 3);
    const expected = [
      [third, 'data/sub/b.txt'],
      [second, 'data/a.txt'],
      [first, 'data/sub/b.txt'],
    ];
    expect(await findAll({ pattern: '*.txt' })).toEqual(expected);
    for (const limit of [1, 2])
      expect(await findAll({ pattern: '*.txt', limit })).toEqual(expected);
    expect(await findAll({ pattern: 'data/sub/*' })).toEqual([expected[0], expected[2]]);
    expect(await findAll({ pattern: 'sub', type: 'directory' })).toEqual([[third, 'data/sub']]);
    expect(await findAll({ pattern: '*.txt', until: momentOf(1) })).toEqual([
      [first, 'data/a.txt'],
      [first, 'data/sub/b.txt'],
    ]);
  });

  it('M-D8: characters that mean something in patterns can be named as they are', async () => {
    const id = await commit({ 'a[1]*.txt': '1', 'a1.txt': '1' }, 1);
    expect(await findAll({ pattern: 'a\\[1\\]\\*.txt' })).toEqual([[id, 'data/a[1]*.txt']]);
  });

  it('versions of two sources do not hide each other', async () => {
    const other = { source: { id: 'other', name: 'other' } };
    const one = await commit({ a: '1' }, 1);
    const two = await commit({ a: '1' }, 2, other);
    expect(await findAll({ pattern: 'a' })).toEqual([
      [two, 'data/a'],
      [one, 'data/a'],
    ]);
    expect(await findAll({ pattern: 'a', sourceId: 'other' })).toEqual([[two, 'data/a']]);
  });

  it('a damaged snapshot is named, and hides nothing in older ones', async () => {
    const older = await commit({ a: '1' }, 1);
    const damaged = await commit({ a: '1' }, 2);
    const snapshots = join(fixture.settings.repositoryDirectory, 'snapshots');
    const file = readdirSync(snapshots).find((name) => name.startsWith(damaged))!;
    // Listed from the catalog, which still knows it; its bytes no longer hash to its id.
    writeFileSync(join(snapshots, file), '{}');
    const page = await fixture.ask('snapshot.find', { pattern: 'a' });
    expect(page.items.map(({ snapshotId }) => snapshotId)).toEqual([older]);
    expect(page.unreadable).toEqual([damaged]);
  });

  it('is empty where there is no repository', async () => {
    const fresh = await ApiFixture.create();
    expect(await fresh.ask('snapshot.find', { pattern: '*' })).toEqual({
      items: [],
      nextCursor: null,
      unreadable: [],
    });
    await fresh.remove();
  });
});

describe('snapshot.files and snapshot.manifest', () => {
  it('Z-49, F20: the whole listing, page by page, directories before what is in them', async () => {
    const id = await commit({ 'b.txt': '12', 'a/x': '1', 'a/y': '1', c: '' }, 1);
    const paths: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof fixture.ask<'snapshot.files'>>> = await fixture.ask(
        'snapshot.files',
        { id: id.slice(0, 8), limit: 2, cursor },
      );
      paths.push(...page.items.map(({ path, bytes }) => `${path} ${bytes}`));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(paths).toEqual(['data/a 0', 'data/a/x 1', 'data/a/y 1', 'data/b.txt 2', 'data/c 0']);
  });

  it('T-10: the manifest comes as it is stored, whatever its length', async () => {
    const warnings = Array.from({ length: 40_000 }, (_, index) => `é ${index} ${'w'.repeat(30)}`);
    const id = await commit({ a: '1' }, 1, { warnings });
    let text = '';
    let slices = 0;
    let offsetBytes: number | null = 0;
    while (offsetBytes !== null) {
      const slice: Awaited<ReturnType<typeof fixture.ask<'snapshot.manifest'>>> = await fixture.ask(
        'snapshot.manifest',
        { id, offsetBytes },
      );
      text += slice.text;
      slices += 1;
      offsetBytes = slice.nextOffsetBytes;
    }
    expect(slices).toBeGreaterThan(2);
    expect(JSON.parse(text)).toEqual(await writer.reader.readManifest(id));
  });
});

describe('choosing snapshots', () => {
  it('F20, Z-46, Z-48, F-05: every condition holds; latest is the first of the list', async () => {
    const ids = [
      await commit({ a: '1' }, 1, { origin: 'schedule' }),
      await commit({ a: '2' }, 2, { reason: 'before the Update' }),
      await commit({ a: '3' }, 3, { type: 'data' }),
    ];
    const at = momentOf(4);
    const verifications = [{ at, level: 'deep', ok: true, findings: [] }] as const;
    await writer.writeNotes(ids[0]!, { tags: ['x'], pinned: true, verifications });
    const listed = async (params: MethodParams<'snapshot.list'>) =>
      (await fixture.ask('snapshot.list', params)).items.map(({ id }) => ids.indexOf(id));
    expect(await listed({})).toEqual([2, 1, 0]);
    expect(await listed({ origin: 'schedule' })).toEqual([0]);
    expect(await listed({ type: 'data' })).toEqual([2]);
    expect(await listed({ tag: 'x' })).toEqual([0]);
    expect(await listed({ pinned: false })).toEqual([2, 1]);
    expect(await listed({ verifiedOnly: true })).toEqual([0]);
    expect(await listed({ since: momentOf(2) })).toEqual([2, 1]);
    expect(await listed({ until: momentOf(2), pinned: false })).toEqual([1]);
    expect(await listed({ text: 'update' })).toEqual([1]);
    expect((await fixture.ask('snapshot.latest', { verifiedOnly: true })).id).toBe(ids[0]);
    await expect(fixture.client.call('snapshot.latest', { tag: 'none' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('M-16: short ids that are unique are enough; others are refused', async () => {
    const id = await commit({ a: '1' }, 1);
    const { job } = await fixture.ask('snapshot.pin', { ids: [id.slice(0, 6), 'latest'] });
    expect(job).toMatchObject({
      kind: 'annotate',
      mutating: true,
      params: { snapshotIds: [id], pinned: true },
    });
    await expect(fixture.client.call('snapshot.pin', { ids: ['abc'] })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    await expect(
      fixture.client.call('snapshot.reseal', { id, iKnow: false as never }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });
});
