import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { acquireLease, initRepository, openReader } from '../store/repository.ts';
import { commitFile, noiseBytes, writerOf } from '../store/testing/scratch-repository.ts';
import { deleteSnapshots } from './delete.ts';
import type { OperationContext } from './operation.ts';
import { prune } from './prune.ts';
import { reconcile } from './reconcile.ts';

let directory: string;
let context: OperationContext;
let ids: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-delete-'));
  const repositoryDirectory = join(directory, 'repository');
  context = {
    activity: quietActivity(),
    settings: {
      ...testSettings(directory, { prune: { graceMs: 0, unusedShare: 0.1 } }),
      repositoryDirectory,
    },
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: join(directory, 'scratch', 'job'),
  };
  await initRepository(repositoryDirectory, { clock: systemClock });
  const writer = await writerOf(repositoryDirectory);
  ids = [];
  for (let at = 0; at < 3; at += 1) {
    ids.push((await commitFile(writer, noiseBytes(80_000, at + 1), null, at)).id);
  }
  await writer.close();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function listed(): Promise<string[]> {
  const reader = await openReader(context.settings.repositoryDirectory);
  const found = reader.listSnapshots().map(({ id }) => id);
  reader.close();
  return found;
}

describe('delete', () => {
  it('F21, Z-50, Z-D27, F-07, Z-73: removes what is named and nothing else, and a prune gives the space back', async () => {
    const result = await deleteSnapshots.run(context, { snapshotIds: [ids[0]!], force: false });
    expect(result).toEqual({ removed: [ids[0]] });
    expect(await listed()).toEqual([ids[2], ids[1]]);
    const report = await prune.run(context, { dryRun: false });
    expect(report['bytesFreed']).toBeGreaterThan(60_000);
    expect(report['chunksRemoved']).toBeGreaterThanOrEqual(2);
    for (const snapshotIds of [[ids[0]!], ['../../etc/passwd']]) {
      await expect(
        deleteSnapshots.run(context, { snapshotIds, force: true }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('F21: refuses the last known good one unless forced', async () => {
    await expect(
      deleteSnapshots.run(context, { snapshotIds: ids, force: false }),
    ).rejects.toMatchObject({ code: 'IN_USE' });
    expect(await listed()).toHaveLength(3);
    await deleteSnapshots.run(context, { snapshotIds: ids, force: true });
    expect(await listed()).toEqual([]);
  });

  it('F21, F-D12: not even force removes what is pinned or being read', async () => {
    const path = context.settings.repositoryDirectory;
    const lease = await acquireLease(path, ids[0]!, 'mount', systemClock);
    const attempt = () => deleteSnapshots.run(context, { snapshotIds: [ids[0]!], force: true });
    await expect(attempt()).rejects.toMatchObject({ code: 'IN_USE', retryable: true });
    await lease.release();
    const writer = await writerOf(path);
    await writer.writeNotes(ids[0]!, { tags: [], pinned: true, verifications: [] });
    await writer.close();
    await expect(attempt()).rejects.toMatchObject({ code: 'IN_USE', retryable: false });
  });
});

describe('reconcile', () => {
  it('F52, F-13, Z-D28: lists in a dry run what it then adopts', async () => {
    const catalog = join(context.settings.repositoryDirectory, 'catalog.db');
    for (const suffix of ['', '-wal', '-shm']) await rm(`${catalog}${suffix}`, { force: true });
    const params = { repositoryOnly: true, afterJob: undefined };
    const planned = await reconcile.run(context, { ...params, dryRun: true });
    expect(planned).toMatchObject({
      repository: { catalogRebuilt: true, snapshotsAdopted: expect.arrayContaining(ids) },
    });
    const done = await reconcile.run(context, { ...params, dryRun: false });
    expect(done).toMatchObject({ repository: { catalogRebuilt: true } });
    const again = await reconcile.run(context, { ...params, dryRun: true });
    expect(again).toMatchObject({
      repository: { catalogRebuilt: false, packsAdopted: [], snapshotsAdopted: [] },
    });
  });
});
