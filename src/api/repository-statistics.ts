import type { Job } from '../jobs/job.ts';
import { isoTime } from '../kernel/clock.ts';
import type { MethodResult } from '../protocol/method-map.ts';
import { repositoryLocks } from '../store/repository.ts';
import type { SnapshotSummary } from '../store/store.ts';
import type { ApiContext } from './context.ts';

type Statistics = MethodResult<'repository.statistics'>;
/** Without a daemon there are no jobs to ask. */
type StatisticsContext = Pick<ApiContext, 'settings' | 'clock' | 'openReader'> & {
  readonly jobs?: ApiContext['jobs'];
};

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 30;
const SOURCES_MAX = 1000;

export async function repositoryStatistics(context: StatisticsContext): Promise<Statistics> {
  const reader = await context.openReader();
  const snapshots = reader.listSnapshots();
  const { locked } = await repositoryLocks(context.settings.repositoryDirectory, context.clock);
  const times = snapshots.map(({ capturedAt }) => capturedAt).sort();
  const prune = lastJob(context, 'prune');
  const freed = prune?.result?.['bytesFreed'];
  return {
    ...reader.statistics(),
    oldestAt: times[0] ?? null,
    newestAt: times.at(-1) ?? null,
    perSource: perSource(snapshots),
    addedPerDay: addedPerDay(snapshots, context.clock.nowMs()),
    lockPresent: locked,
    lastCheck: runOf(lastJob(context, 'check')),
    lastPrune:
      prune === null
        ? null
        : { ...runOf(prune)!, bytesFreed: typeof freed === 'number' ? freed : null },
  };
}

function perSource(snapshots: readonly SnapshotSummary[]): Statistics['perSource'] {
  const sources = new Map<string, { -readonly [K in keyof Row]: Row[K] }>();
  type Row = Statistics['perSource'][number];
  for (const { sourceId, sourceName, totalBytes, addedBytes } of snapshots) {
    const empty = { sourceId, sourceName, snapshots: 0, rawBytes: 0, addedBytes: 0 };
    const row = sources.get(sourceId) ?? empty;
    row.snapshots += 1;
    row.rawBytes += totalBytes;
    row.addedBytes += addedBytes;
    sources.set(sourceId, row);
  }
  return [...sources.values()].slice(0, SOURCES_MAX);
}

/** The last thirty days in UTC, today last; days without snapshots too. */
function addedPerDay(
  snapshots: readonly SnapshotSummary[],
  nowMs: number,
): Statistics['addedPerDay'] {
  const days = Array.from({ length: DAYS }, (_, index) => {
    const day = isoTime(nowMs - (DAYS - 1 - index) * DAY_MS).slice(0, 10);
    return { day, snapshots: 0, addedBytes: 0 };
  });
  const byDay = new Map(days.map((each) => [each.day, each]));
  for (const { capturedAt, addedBytes } of snapshots) {
    const day = byDay.get(capturedAt.slice(0, 10));
    if (day === undefined) continue;
    day.snapshots += 1;
    day.addedBytes += addedBytes;
  }
  return days;
}

/** The newest that ended and was no mere rehearsal. */
function lastJob({ jobs }: StatisticsContext, kind: 'check' | 'prune'): Job | null {
  const page = jobs?.list({ kind, limit: 50 });
  const ended = (page?.items ?? []).find(
    ({ status, params }) =>
      (status === 'succeeded' || status === 'failed') && params['dryRun'] !== true,
  );
  return ended ?? null;
}

function runOf(job: Job | null): Statistics['lastCheck'] {
  if (job === null || job.finishedAt === null) return null;
  return { jobId: job.id, at: job.finishedAt, ok: job.status === 'succeeded' };
}
