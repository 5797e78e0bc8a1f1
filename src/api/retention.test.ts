import { mkdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isoTime, systemClock } from '../kernel/clock.ts';
import type { SnapshotOrigin } from '../store/manifests/manifest.ts';
import { initRepository } from '../store/repository.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { activity, writerOf } from '../store/testing/scratch-repository.ts';
import { ApiFixture } from './testing/api-fixture.ts';

const DAY_MS = 86_400_000;

let fixture: ApiFixture;
beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

/** One snapshot of `alpha` for each age in days; returns their ids. */
async function commit(agesDays: readonly number[], origin: SnapshotOrigin = 'manual') {
  const { repositoryDirectory } = fixture.settings;
  await mkdir(repositoryDirectory, { recursive: true });
  await initRepository(repositoryDirectory, { clock: systemClock });
  const writer = await writerOf(repositoryDirectory);
  const ids: string[] = [];
  for (const age of agesDays) {
    const content = await writer.writeContent(sourceOf(Buffer.from('same')), null, activity);
    const tree = await writer.writeTree([fileEntry('file', content)]);
    const capturedAt = isoTime(systemClock.nowMs() - age * DAY_MS);
    const about = { capturedAt, origin, source: { id: 'alpha', name: 'alpha name' } };
    const { id } = await writer.commitSnapshot(
      (statistics) => manifestOf(tree, statistics, about),
      activity,
    );
    ids.push(id);
  }
  await writer.close();
  return ids;
}

describe('retention', () => {
  it('without a policy everything stays, and says so', async () => {
    expect(await fixture.ask('retention.get', { sourceId: 'alpha' })).toEqual({
      sourceId: 'alpha',
      policy: null,
      warnings: [],
    });
    const nothing = { items: [], nextCursor: null, policy: null, keepCount: 0, removeCount: 0 };
    const empty = await fixture.ask('retention.preview', { sourceId: 'alpha' });
    expect(empty).toEqual({ ...nothing, sourceId: 'alpha' });
    await commit([1, 2]);
    expect(await fixture.ask('retention.preview', { sourceId: 'alpha name' })).toMatchObject({
      keepCount: 2,
      items: [{ action: 'keep', reasons: ['no policy'] }, { action: 'keep' }],
    });
  });

  it('F37, T-51: a policy given for the occasion is previewed with reasons, in pages', async () => {
    const [today, yesterday, lastWeek, old] = await commit([0.1, 1.1, 8, 40]);
    const policy = { keepDaily: 2, minGood: 1 };
    const first = await fixture.ask('retention.preview', { sourceId: 'alpha', policy, limit: 3 });
    expect(first).toMatchObject({ keepCount: 2, removeCount: 2, policy: { keepDaily: 2 } });
    expect(first.items.map(({ id, action }) => [id, action])).toEqual([
      [today, 'keep'],
      [yesterday, 'keep'],
      [lastWeek, 'remove'],
    ]);
    expect(first.items[1]!.reasons[0]).toMatch(/^daily \d{4}-\d\d-\d\d$/);
    expect(first.items[2]!.reasons).toEqual(['no rule for "manual" keeps it']);
    const cursor = first.nextCursor;
    const next = await fixture.ask('retention.preview', { sourceId: 'alpha', policy, cursor });
    expect(next.items.map(({ id }) => id)).toEqual([old]);
    const preset = await fixture.ask('retention.preview', { sourceId: 'alpha', policy: 'gfs' });
    expect(preset).toMatchObject({ removeCount: 0, policy: { keepDaily: 5, keepMonthly: -1 } });
  });

  it('M-06, T-D7: an empty policy is EMPTY_POLICY, -2 and unknown names are INVALID_PARAMS', async () => {
    const preview = (policy: Record<string, unknown>) =>
      fixture.client.call('retention.preview', { sourceId: 'alpha', policy });
    for (const policy of [
      {},
      { keepLast: 0, keepDaily: 0 },
      { gfs: { daily: 0, weekly: 0, monthly: 0 } },
    ]) {
      await expect(preview(policy)).rejects.toMatchObject({ code: 'EMPTY_POLICY' });
    }
    for (const policy of [{ keepLast: -2 }, { keepLots: 1 }, { keepLast: 1, timeZone: 'Mars' }]) {
      await expect(preview(policy)).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    }
  });

  it('F39, M-07: applying it is one forget job, which changes nothing where it is a dry run', async () => {
    const { job } = await fixture.ask('retention.apply', { sources: ['alpha name'] });
    expect(job).toMatchObject({
      kind: 'forget',
      sourceId: 'alpha',
      mutating: true,
      params: { sources: ['alpha'] },
    });
    (await fixture.nextHeld()).succeed();
    const all = await fixture.ask('retention.apply', { dryRun: true });
    expect(all.job).toMatchObject({ sourceId: null, mutating: false, params: { dryRun: true } });
    const unknown = fixture.client.call('retention.apply', { sources: ['gamma'] });
    await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const both = fixture.client.call('retention.apply', { sources: ['alpha'], orphans: ['x'] });
    await expect(both).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });
});
