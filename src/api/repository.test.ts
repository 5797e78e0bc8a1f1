import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isoTime, systemClock } from '../kernel/clock.ts';
import { acquireLease, initRepository } from '../store/repository.ts';
import { commitFile, writerOf } from '../store/testing/scratch-repository.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
let ids: string[];

beforeEach(async () => {
  fixture = await ApiFixture.create();
  const path = fixture.settings.repositoryDirectory;
  await initRepository(path, { clock: systemClock });
  const writer = await writerOf(path);
  ids = [];
  for (let at = 0; at < 2; at += 1) {
    ids.push((await commitFile(writer, Buffer.from(`content ${at}`), null, at)).id);
  }
  await writer.close();
});
afterEach(() => fixture.remove());

describe('the repository over the socket', () => {
  it('T-48, M-27, M-64, M-D6: statistics by source and day; what was never run is null, not zero', async () => {
    const statistics = await fixture.ask('repository.statistics', {});
    expect(statistics).toMatchObject({
      snapshots: 2,
      oldestAt: '2026-01-01T00:00:00.000Z',
      newestAt: '2026-01-01T00:00:01.000Z',
      perSource: [{ sourceId: 'source-1', sourceName: 'app', snapshots: 2 }],
      lockPresent: false,
      lastCheck: null,
      lastPrune: null,
    });
    expect(statistics.addedPerDay).toHaveLength(30);
    const today = isoTime(systemClock.nowMs()).slice(0, 10);
    expect(statistics.addedPerDay.at(-1)!.day).toBe(today);
  });

  it('F51, F60: locks and leases are told while a writer works; unlock takes none from the living', async () => {
    const path = fixture.settings.repositoryDirectory;
    const writer = await writerOf(path, { purpose: 'backup' });
    const lease = await acquireLease(path, ids[0]!, 'export', systemClock);
    expect(await fixture.ask('repository.locks', {})).toMatchObject({
      locked: true,
      holder: { purpose: 'backup' },
      leases: [{ snapshot: ids[0], purpose: 'export', stale: false }],
      unreadable: [],
    });
    expect(await fixture.ask('repository.statistics', {})).toMatchObject({ lockPresent: true });
    expect(await fixture.ask('repository.unlock', {})).toEqual({
      removedLeases: [],
      lockPresent: true,
    });
    await lease.release();
    await writer.close();
  });

  it('F21, F40, F52, M-04: removal, prune and reconcile are jobs', async () => {
    const { job } = await fixture.ask('snapshot.delete', { ids: [ids[0]!.slice(0, 12)] });
    expect(job).toMatchObject({
      kind: 'delete',
      mutating: true,
      params: { snapshotIds: [ids[0]], force: false },
    });
    const prune = await fixture.ask('repository.prune', { dryRun: true });
    expect(prune.job).toMatchObject({ kind: 'prune', params: { dryRun: true } });
    const reconcile = await fixture.ask('repository.reconcile', { dryRun: true });
    expect(reconcile.job).toMatchObject({
      kind: 'reconcile',
      params: { repositoryOnly: true, dryRun: true },
    });
    await expect(
      fixture.client.call('snapshot.delete', { ids: ['ffffffff'] }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
