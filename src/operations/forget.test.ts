import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RetentionSettings } from '../config/retention-settings.ts';
import type { SourceSettings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import { quietActivity } from '../kernel/activity.ts';
import { isoTime, systemClock } from '../kernel/clock.ts';
import { policyOf } from '../retention/testing/candidates.ts';
import type { Manifest, VerificationNote } from '../store/manifests/manifest.ts';
import { acquireLease, initRepository, openReader, verifySnapshot } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { rowBytes, writerOf } from '../store/testing/scratch-repository.ts';
import { forget } from './forget.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse('2026-07-01T12:00:00Z');

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-forget-'));
  await mkdir(join(directory, 'state'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const repository = (): string => join(directory, 'repository');

interface Taken {
  readonly hoursAgo: number;
  readonly sourceId?: string;
  readonly about?: Partial<Manifest>;
  readonly pinned?: boolean;
  readonly note?: Omit<VerificationNote, 'at' | 'findings'>;
}

/** Commits snapshots, each with content of its own; returns their ids. */
async function commit(all: readonly Taken[]): Promise<string[]> {
  await initRepository(repository(), { clock: systemClock });
  const writer = await writerOf(repository());
  const ids: string[] = [];
  for (const each of all) ids.push(await commitOne(writer, each, ids.length));
  await writer.close();
  return ids;
}

async function commitOne(writer: StoreWriter, taken: Taken, seed: number): Promise<string> {
  const { hoursAgo, sourceId = 'app', about, pinned = false, note } = taken;
  const activity = quietActivity();
  const content = await writer.writeContent(sourceOf(rowBytes(100_000, seed + 1)), null, activity);
  const tree = await writer.writeTree([fileEntry('file', content)]);
  const capturedAt = isoTime(NOW_MS - hoursAgo * HOUR_MS);
  const fields = { capturedAt, source: { id: sourceId, name: sourceId }, ...about };
  const { id } = await writer.commitSnapshot(
    (statistics) => manifestOf(tree, statistics, fields),
    activity,
  );
  if (pinned || note !== undefined) {
    const at = isoTime(NOW_MS);
    const verifications = note === undefined ? [] : [{ at, findings: [], ...note }];
    await writer.writeNotes(id, { tags: [], pinned, verifications });
  }
  return id;
}

const sourceWith = (id: string, retention: RetentionSettings | null): SourceSettings =>
  testSource({ id, name: id, retention });

interface Options {
  readonly sources?: readonly SourceSettings[];
  readonly activity?: Activity;
}

function run(
  params: Parameters<typeof forget.run>[1] | Record<string, unknown>,
  options: Options = {},
) {
  const sources = options.sources ?? [sourceWith('app', policyOf({ keepLast: 2 }))];
  const context = {
    activity: options.activity ?? quietActivity(),
    settings: testSettings(directory, { repositoryDirectory: repository(), sources }),
    clock: { ...systemClock, nowMs: () => NOW_MS },
    jobId: 'job',
    scratchDirectory: join(directory, 'state'),
  };
  return forget.run(context, forget.params.parse(params)) as Promise<Record<string, any>>;
}

/** Ids in the repository, newest first. */
async function listed(): Promise<string[]> {
  const reader = await openReader(repository());
  const ids = reader.listSnapshots().map(({ id }) => id);
  reader.close();
  return ids;
}

async function expectSound(ids: readonly string[]): Promise<void> {
  const reader = await openReader(repository());
  for (const id of ids) {
    const { ok, findings } = await verifySnapshot(reader, id, { deep: true }, quietActivity());
    expect(findings).toEqual([]);
    expect(ok).toBe(true);
  }
  reader.close();
}

const ages = (count: number, more: Partial<Taken> = {}): Taken[] =>
  Array.from({ length: count }, (_, index) => ({ hoursAgo: index, ...more }));

describe('forget', () => {
  it('F39, T-24: removes what the policy does not keep, says why the rest stays, and what stays verifies', async () => {
    const ids = await commit(ages(6));
    const result = await run({});
    expect(result).toMatchObject({ dryRun: false, ok: true, orphaned: [] });
    expect(result['sources']).toMatchObject([
      {
        sourceId: 'app',
        kept: [
          { id: ids[0], reasons: ['newest', 'newest good', 'good floor', 'last'] },
          { id: ids[1] },
        ],
        removed: ids.slice(2).reverse(),
        removedCount: 4,
        skippedReason: null,
        error: null,
      },
    ]);
    expect(await listed()).toEqual(ids.slice(0, 2));
    await expectSound(ids.slice(0, 2));
    expect((await run({}))['sources'][0]).toMatchObject({ removedCount: 0, keptCount: 2 });
  });

  it('T-25: where there is nothing, nothing is done', async () => {
    expect((await run({}))['sources']).toMatchObject([
      { removedCount: 0, keptCount: 0, error: null },
    ]);
    const dry = await run({ dryRun: true, sources: ['app'] });
    expect(dry).toMatchObject({ ok: true, orphaned: [] });
  });

  it('a dry run tells the same and removes nothing', async () => {
    const ids = await commit(ages(6));
    const planned = await run({ dryRun: true });
    expect(await listed()).toEqual(ids);
    expect({ ...(await run({})), dryRun: true }).toEqual(planned);
  });

  it('M-07, M-10: each source by its own policy; those without one are skipped and named', async () => {
    const ids = await commit([
      ...ages(3),
      ...ages(3, { sourceId: 'wiki' }),
      ...ages(2, { sourceId: 'mail' }),
    ]);
    const sources = [
      sourceWith('app', policyOf({ keepLast: 1 })),
      sourceWith('wiki', policyOf({ keepLast: 2 })),
      sourceWith('mail', null),
    ];
    const result = await run({}, { sources });
    expect(result['sources']).toMatchObject([
      { sourceId: 'app', removedCount: 2 },
      { sourceId: 'wiki', removedCount: 1 },
      { sourceId: 'mail', removedCount: 0, kept: [], skippedReason: 'no policy' },
    ]);
    const left = [ids[0]!, ids[3]!, ids[4]!, ids[6]!, ids[7]!];
    expect((await listed()).sort()).toEqual(left.sort());
    const one = await run(
      { sources: ['wiki'] },
      { sources: [sourceWith('wiki', policyOf({ keepLast: 1 }))] },
    );
    expect(one['sources']).toHaveLength(1);
    expect(await listed()).not.toContain(ids[4]);
    await expect(run({ sources: ['gone'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('F39: one source that fails does not stop the others; the job fails and tells of all', async () => {
    const ids = await commit([...ages(3), ...ages(3, { sourceId: 'wiki' })]);
    const lost = { ...policyOf({ keepDaily: 1 }), timeZone: 'Mars/Olympus' };
    const sources = [sourceWith('app', lost), sourceWith('wiki', policyOf({ keepLast: 1 }))];
    await expect(run({}, { sources })).rejects.toMatchObject({
      message: expect.stringMatching(/^Cannot forget snapshots of "app": .*Mars/),
      details: {
        report: {
          ok: false,
          sources: [
            { sourceId: 'app', removedCount: 0, error: { code: 'INTERNAL' } },
            { sourceId: 'wiki', removedCount: 2, error: null },
          ],
        },
      },
    });
    expect((await listed()).sort()).toEqual(ids.slice(0, 4).sort());
  });

  it('M-D10: snapshots of other roots and of an earlier name of the source are of the same group', async () => {
    const ids = await commit([
      ...ages(2),
      { hoursAgo: 5, about: { source: { id: 'app', name: 'its former name' } } },
    ]);
    await run({});
    expect(await listed()).toEqual(ids.slice(0, 2));
  });

  it('orphaned ones, whose source is no longer configured, are told of, and removed by explicit command alone', async () => {
    const ids = await commit([
      ...ages(2),
      ...ages(3, { sourceId: 'gone' }),
      { hoursAgo: 9, sourceId: 'gone', pinned: true },
    ]);
    const result = await run({});
    expect(result['orphaned']).toEqual([{ sourceId: 'gone', sourceName: 'gone', snapshots: 4 }]);
    expect(await listed()).toHaveLength(6);
    const explicit = await run({ orphans: ['gone'] });
    expect(explicit['sources']).toMatchObject([
      { sourceId: 'gone', removedCount: 3, keptCount: 1 },
    ]);
    expect(await listed()).toEqual([ids[0], ids[1], ids[5]]);
    await expect(run({ orphans: ['app'] })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await expect(run({ orphans: ['never'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('F38, Z-D11, F-D10: keeps pinned ones, the newest good one, and the last one known good', async () => {
    const failed = { level: 'deep', ok: false } as const;
    const ids = await commit([
      { hoursAgo: 0, note: failed },
      { hoursAgo: 1, note: failed },
      { hoursAgo: 2, note: failed },
      { hoursAgo: 3 },
      { hoursAgo: 4 },
      { hoursAgo: 5, note: { level: 'drill', ok: true } },
      { hoursAgo: 6, note: { level: 'deep', ok: true } },
      { hoursAgo: 7, pinned: true },
    ]);
    await run({}, { sources: [sourceWith('app', policyOf({ keepLast: 1, minGood: 1 }))] });
    expect(await listed()).toEqual([ids[0], ids[3], ids[5], ids[7]]);
  });

  it('Z-D16, F38: a snapshot that somebody reads stays, and the others go; orphaned ones too', async () => {
    const ids = await commit([...ages(4), ...ages(2, { sourceId: 'gone' })]);
    const clock = { ...systemClock, nowMs: () => NOW_MS };
    const leases = [ids[3]!, ids[4]!].map((id) => acquireLease(repository(), id, 'restore', clock));
    const held = await Promise.all(leases);
    const [app] = (await run({}))['sources'];
    expect(app.removed).toEqual([ids[2]]);
    expect(app.kept[2]).toEqual({ id: ids[3], reasons: ['in use'] });
    const [gone] = (await run({ orphans: ['gone'] }))['sources'];
    expect(gone).toMatchObject({ removed: [ids[5]], kept: [{ id: ids[4], reasons: ['in use'] }] });
    for (const lease of held) await lease.release();
    expect((await run({}))['sources'][0].removed).toEqual([ids[3]]);
  });

  it('cancelled in between, what is not yet removed stays', async () => {
    const ids = await commit(ages(8));
    const controller = new AbortController();
    controller.abort(new Error('cancelled'));
    await expect(run({}, { activity: quietActivity(controller.signal) })).rejects.toThrow(
      'cancelled',
    );
    expect(await listed()).toEqual(ids);
  });
});
