import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { initRepository } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { commitFile, writerOf } from '../store/testing/scratch-repository.ts';
import type { DirectoryEntry, TreeEntry } from '../store/trees/tree-entry.ts';
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

const commit = async (at: number): Promise<string> =>
  (await commitFile(writer, Buffer.from(`content ${at}`), null, at)).id;

const base = { mode: 0o750, uid: 0, gid: 0, mtimeNs: '1700000000123456789' };
const directory = (name: string, tree: string): DirectoryEntry => ({
  type: 'directory',
  name,
  tree,
  ...base,
});

describe('snapshots over the socket', () => {
  it('F-09: snapshot.list is empty, not an error, before there is a repository', async () => {
    const fresh = await ApiFixture.create();
    expect(await fresh.ask('snapshot.list', {})).toEqual({ items: [], nextCursor: null });
    await expect(fresh.client.call('snapshot.get', { id: 'latest' })).rejects.toMatchObject({
      code: 'REPO_UNINITIALISED',
    });
    await fresh.remove();
  });

  it('Z-46, Z-70: snapshot.list gives each snapshot once, newest first, though new ones come between pages', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 7; at += 1) ids.unshift(await commit(at));
    const seen: string[] = [];
    let cursor: string | null = null;
    let added = 10;
    do {
      const page: { items: readonly { id: string }[]; nextCursor: string | null } =
        await fixture.ask('snapshot.list', { limit: 2, cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      await commit((added += 1));
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    const { nextCursor } = await fixture.ask('snapshot.list', { limit: 1 });
    await expect(
      fixture.client.call('snapshot.list', { goodOnly: true, cursor: nextCursor }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('drill.list tells the drills that snapshots remember, newest first; drill.run bounds what may hang', async () => {
    expect(await fixture.ask('drill.list', {})).toEqual({ items: [], nextCursor: null });
    const [older, newer] = [await commit(1), await commit(2)];
    await commit(3);
    const note = (minute: number, level: 'deep' | 'drill', ok: boolean) => ({
      at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
      level,
      ok,
      findings: ok ? [] : ['assertion "a": it gave no rows'],
      ...(level === 'drill' ? { durationMs: 1234 } : {}),
    });
    const remember = (id: string, ...verifications: ReturnType<typeof note>[]) =>
      writer.writeNotes(id, { tags: [], pinned: false, verifications });
    await remember(older, note(1, 'drill', true), note(4, 'drill', false));
    await remember(newer, note(2, 'deep', true), note(3, 'drill', true));
    const first = await fixture.ask('drill.list', { limit: 2 });
    const rest = await fixture.ask('drill.list', { limit: 2, cursor: first.nextCursor });
    const drills = [...first.items, ...rest.items];
    expect(drills.map(({ snapshotId, ok }) => [snapshotId, ok])).toEqual([
      [older, false],
      [newer, true],
      [older, true],
    ]);
    expect(drills[0]).toMatchObject({ sourceId: 'source-1', durationMs: 1234 });
    expect(rest.nextCursor).toBeNull();

    const { job } = await fixture.ask('drill.run', { sourceId: 'alpha name' });
    expect(job).toMatchObject({
      kind: 'drill',
      sourceId: 'alpha',
      mutating: false,
      deadlineMs: 60_000,
      params: { sourceId: 'alpha' },
    });
  });

  it('F-09, Z-29, Z-47, Z-73: snapshot.get shows one by id, prefix or latest, with bounded lists and exact counts', async () => {
    const id = await commit(1);
    for (const reference of [id, id.slice(0, 8), 'latest']) {
      expect(await fixture.ask('snapshot.get', { id: reference })).toMatchObject({
        id,
        good: true,
        roots: [{ prefix: 'data' }],
        statistics: { files: 1 },
      });
    }
    const skipped = Array.from({ length: 3000 }, (_, index) => ({
      path: `data/${'d'.repeat(2000)}/${index}`,
      reason: 'unreadable' as const,
    }));
    const changed = skipped.map(({ path }) => path);
    const tree = await writer.writeTree([]);
    const { id: large } = await writer.commitSnapshot(
      (statistics) =>
        manifestOf(tree, statistics, {
          skipped,
          skippedCount: 9000,
          changedWhileReading: changed,
          warnings: changed,
        }),
      quietActivity(),
    );
    const document = await fixture.ask('snapshot.get', { id: large });
    expect(document).toMatchObject({ skippedCount: 9000, changedWhileReadingCount: 3000 });
    expect(document.skipped.length).toBeGreaterThan(10);
    expect(document.skipped.length).toBeLessThan(500);
    await expect(fixture.client.call('snapshot.get', { id: 'ffffffff' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('T-29: restore.run and snapshot.verify freeze what the references mean now', async () => {
    const first = await commit(1);
    const restore = await fixture.ask('restore.run', {
      snapshotId: 'latest',
      target: { type: 'directory', path: '/somewhere' },
      paths: ['data/file'],
    });
    const second = await commit(2);
    expect(restore.job).toMatchObject({
      kind: 'restore',
      sourceId: 'source-1',
      mutating: false,
      params: {
        snapshotId: first,
        target: { type: 'directory', path: '/somewhere' },
        paths: ['data/file'],
      },
    });
    const inPlace = await fixture.ask('restore.run', {
      snapshotId: second.slice(0, 6),
      target: { type: 'in-place' },
      confirm: 'source-1',
    });
    expect(inPlace.job).toMatchObject({ mutating: true, params: { snapshotId: second } });
    const verify = await fixture.ask('snapshot.verify', {
      snapshots: [first.slice(0, 8), 'latest'],
      deep: true,
    });
    expect(verify.job.params).toEqual({ snapshots: [first, second], deep: true });
    // Sources that are no longer configured keep their snapshots.
    const former = await fixture.ask('snapshot.list', { sourceId: 'app' });
    expect(former.items.map(({ id }) => id)).toEqual([second, first]);
    await expect(
      fixture.client.call('restore.run', {
        snapshotId: second,
        sourceId: 'alpha',
        target: { type: 'in-place' },
      }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(
      fixture.client.call('restore.run', {
        snapshotId: 'ffffffff',
        target: { type: 'in-place' },
      }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const path of ['relative', '$OTHER/x', '~other/x']) {
      const target = { type: 'directory' as const, path };
      await expect(
        fixture.client.call('restore.run', { snapshotId: 'latest', target }),
      ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    }
  });

  it('F28, M-49, M-D8: in place needs the name of the source, and an empty list of paths says that all is meant', async () => {
    await commit(1);
    const target = { type: 'in-place' as const };
    for (const confirm of [undefined, 'another']) {
      await expect(
        fixture.client.call('restore.run', {
          snapshotId: 'latest',
          target,
          ...(confirm && { confirm }),
        }),
      ).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    }
    await expect(
      fixture.client.call('restore.run', { snapshotId: 'latest', paths: [] }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await fixture.ask('restore.run', { snapshotId: 'latest', paths: [], all: true });
    await expect(
      fixture.client.call('restore.run', { snapshotId: 'latest', planId: 'f'.repeat(32) }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await expect(
      fixture.client.call('restore.run', { planId: 'f'.repeat(32) }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { job } = await fixture.ask('restore.plan', { snapshotId: 'latest', target });
    expect(job).toMatchObject({ kind: 'restore', mutating: false, params: { dryRun: true } });
  });

  it('Z-35, Z-59, Z-61: nothing is staged until something is; staging needs a confirmation', async () => {
    await commit(1);
    expect(await fixture.ask('restore.pending', {})).toEqual({ items: [], nextCursor: null });
    await expect(
      fixture.client.call('restore.cancel', { id: '00000000-none' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(
      fixture.client.call('restore.stage', { snapshotId: 'latest' }),
    ).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    const staged = await fixture.ask('restore.stage', {
      snapshotId: 'latest',
      confirm: 'source-1',
      applyWhen: 'free',
    });
    expect(staged.job).toMatchObject({ kind: 'stage', mutating: true, sourceId: 'source-1' });
    const applied = await fixture.ask('restore.apply', {});
    expect(applied.job).toMatchObject({ kind: 'apply', mutating: true, params: {} });
  });

  it('repository.statistics counts what is there now', async () => {
    await commit(1);
    expect(await fixture.ask('repository.statistics', {})).toMatchObject({ snapshots: 1 });
    await commit(2);
    expect(await fixture.ask('repository.statistics', {})).toMatchObject({ snapshots: 2 });
  });
});

describe('tree.list', () => {
  /** data/{b/, Z/, ü, a, app.db, link}, config under data, extra/logs, one root missing. */
  async function commitTree(): Promise<string> {
    const content = await writer.writeContent(
      sourceOf(Buffer.from('12345')),
      null,
      quietActivity(),
    );
    const empty = await writer.writeTree([]);
    const entries: TreeEntry[] = [
      fileEntry('a', content),
      fileEntry('ü', content),
      { ...fileEntry('busy', content), changedWhileReading: true },
      directory('b', empty),
      directory('Z', empty),
      { type: 'database', name: 'app.db', content, ...base },
      { type: 'symlink', name: 'link', target: '../x', ...base },
    ];
    const data = await writer.writeTree(entries);
    const logs = await writer.writeTree([fileEntry('log', content)]);
    const root = { class: 'extra' as const, path: '/x', sameAs: null, missing: false };
    const { id } = await writer.commitSnapshot((statistics) => {
      const manifest = manifestOf(data, statistics);
      return {
        ...manifest,
        roots: [
          ...manifest.roots,
          { ...root, class: 'config', name: null, prefix: 'config', tree: null, sameAs: 'data' },
          { ...root, name: 'logs', prefix: 'extra/logs', tree: logs },
          { ...root, name: 'gone', prefix: 'extra/gone', tree: null, missing: true },
        ],
      };
    }, quietActivity());
    return id;
  }

  const names = async (path: string, limit?: number): Promise<string[]> => {
    const request = { snapshotId: 'latest', path, ...(limit === undefined ? {} : { limit }) };
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: readonly { name: string }[]; nextCursor: string | null } =
        await fixture.ask('tree.list', { ...request, cursor });
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return seen;
  };

  it('M-37: lists roots, then children: directories first, by the bytes of their names', async () => {
    await commitTree();
    expect(await names('/')).toEqual(['config', 'data', 'extra']);
    expect(await names('/extra/')).toEqual(['logs']);
    expect(await names('extra//logs')).toEqual(['log']);
    const data = ['Z', 'b', 'a', 'app.db', 'busy', 'link', 'ü'];
    for (const limit of [1, 2, 1000]) expect(await names('/data', limit)).toEqual(data);
    expect(await names('/config')).toEqual(data);
    expect(await names('/data/b')).toEqual([]);
  });

  it('M-37: tells type, size, time, mode, target and what was changed while it was read', async () => {
    const snapshotId = await commitTree();
    const { items } = await fixture.ask('tree.list', { snapshotId, path: 'data' });
    const mtime = '2023-11-14T22:13:20.123Z';
    expect(items.find(({ name }) => name === 'app.db')).toEqual({
      name: 'app.db',
      type: 'database',
      bytes: 5,
      mtime,
      mode: 0o750,
    });
    expect(items.find(({ name }) => name === 'link')).toMatchObject({
      linkTarget: '../x',
      bytes: 0,
    });
    expect(items.find(({ name }) => name === 'busy')).toMatchObject({ changedWhileReading: true });
    expect(items.find(({ name }) => name === 'b')).toMatchObject({ type: 'directory', bytes: 0 });
  });

  it('M-37: refuses what is not there, not a directory, or not a path, each by its own code', async () => {
    await commitTree();
    const codeOf = (path: string, snapshotId = 'latest'): Promise<unknown> =>
      fixture.client.call('tree.list', { snapshotId, path }).catch(({ code }) => code);
    expect(await codeOf('/data/none')).toBe('PATH_NOT_FOUND');
    expect(await codeOf('/extra/gone')).toBe('PATH_NOT_FOUND');
    expect(await codeOf('/tables')).toBe('PATH_NOT_FOUND');
    expect(await codeOf('/data/a')).toBe('NOT_A_DIRECTORY');
    expect(await codeOf('/data/a/b')).toBe('NOT_A_DIRECTORY');
    expect(await codeOf('/data/../config')).toBe('PATH_UNSAFE');
    expect(await codeOf('/data', 'ffffffff')).toBe('NOT_FOUND');
  });
});
