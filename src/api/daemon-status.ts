import type { SourceSettings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import { isoTime } from '../kernel/clock.ts';
import type { DaemonStatus, ScheduleState, SourceState } from '../protocol/method-map.ts';
import { PROTOCOL_VERSION } from '../protocol/protocol-version.ts';
import type { ApiContext } from './context.ts';

const JOBS_SHOWN_MAX = 20;
/** Of each source; the worst come first, so that what needs a person is among them. */
const DATABASES_SHOWN_MAX = 100;
const WARNINGS_SHOWN_MAX = 100;
const ALERTS_SHOWN_MAX = 10;

export const uptimeMs = ({ clock, startedMonotonicMs }: ApiContext): number =>
  Math.max(Math.round(clock.monotonicMs() - startedMonotonicMs), 0);

/** Everything at a glance, from memory and a few tiny queries. */
export function daemonStatus(context: ApiContext): DaemonStatus {
  const { settings, jobs, alerts, version, startedAtMs } = context;
  const { ready, phase, progress } = context.boot();
  return {
    version,
    protocol: PROTOCOL_VERSION,
    pid: process.pid,
    startedAt: isoTime(startedAtMs),
    uptimeMs: uptimeMs(context),
    ready,
    bootPhase: phase,
    bootProgress: progress,
    sources: settings.sources.map((source) => sourceState(context, source)),
    queue: {
      running: jobs.list({ status: 'running', limit: JOBS_SHOWN_MAX }).items.map(jobOutline),
      queued: jobs.list({ status: 'queued', limit: JOBS_SHOWN_MAX }).items.map(jobOutline),
      queuedCount: jobs.counts().queued,
    },
    repository: context.repositoryStatistics(),
    schedules: schedulesByDueTime(context.schedules()),
    lastRecovery: context.lastRecovery(),
    warnings: context.warnings().slice(0, WARNINGS_SHOWN_MAX),
    previousRun: context.previousRun,
    alerts: {
      ...alerts.counts(),
      newest: alerts
        .list(['open', 'acknowledged'], null, ALERTS_SHOWN_MAX)
        .map(({ alert }) => alert),
    },
  };
}

/** A source's state with a bounded number of its databases. */
export function sourceState(context: ApiContext, source: SourceSettings): SourceState {
  const { id, name, roots } = source;
  const { databases, ...facts } = context.sourceFacts(id);
  const worstFirst = [...databases].sort(
    (left, right) => Number(isFine(left)) - Number(isFine(right)),
  );
  return { id, name, roots, ...facts, databases: worstFirst.slice(0, DATABASES_SHOWN_MAX) };
}

const isFine = ({ state }: SourceState['databases'][number]): boolean =>
  state === 'ok' || state === 'skipped' || state === 'unknown';

/** The next due first, those that are never due last. */
export function schedulesByDueTime(schedules: readonly ScheduleState[]): ScheduleState[] {
  const due = ({ nextDueAt }: ScheduleState): string => nextDueAt ?? '~';
  return [...schedules].sort((left, right) => (due(left) < due(right) ? -1 : 1));
}

function jobOutline(job: Job): DaemonStatus['queue']['running'][number] {
  const { id, kind, status, sourceId, createdAt, startedAt, progress } = job;
  return { id, kind, status, sourceId, createdAt, startedAt, progress };
}
