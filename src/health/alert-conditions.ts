import type { Job } from '../jobs/job.ts';
import type { MethodResult, ScheduleState, SourceState } from '../protocol/method-map.ts';
import type { AlertKey, AlertSeverity, AlertSighting } from '../state/alert-records.ts';

/** What is worth an alert: failures of jobs, and conditions that last until something ends them. */

/** A schedule that has not run for this many of its intervals is stale. */
const STALE_INTERVALS = 1.5;
const DRILL_AGE_MS_MAX = 35 * 24 * 3_600_000;
/** Of what the quarantine may hold. */
const QUARANTINE_SHARE_MAX = 0.8;

/** Failures by kind of job. Others failed in front of whoever asked for them. */
const JOB_FAILURES: Partial<Record<Job['kind'], AlertSeverity>> = {
  backup: 'warning',
  forget: 'warning',
  verify: 'warning',
  apply: 'critical',
  recover: 'critical',
  prune: 'critical',
  check: 'critical',
};

/** Findings of the health report that become alerts. Databases and schedules have alerts of their own. */
const FINDINGS: Readonly<Record<string, AlertSeverity>> = {
  NO_GOOD_SNAPSHOT: 'critical',
  LAST_SNAPSHOT_BAD: 'critical',
  DRILL_FAILED: 'critical',
  VERIFICATION_OLD: 'warning',
  CHANGE_UNSAVED: 'warning',
  WATCH_OFF: 'warning',
  LOW_SPACE: 'critical',
  CHANGE_SET_ASIDE: 'warning',
  STATE_REBUILT: 'warning',
  KEY_REQUIRED: 'critical',
  KEY_WRONG: 'critical',
};

const DATABASES: Partial<
  Record<SourceState['databases'][number]['state'], readonly [kind: string, what: string]>
> = {
  'needs-operator': ['DATABASE_NEEDS_OPERATOR', 'waits for a person'],
  regressed: ['DATABASE_REGRESSED', 'is older than its snapshots'],
  missing: ['DATABASE_MISSING', 'is gone'],
};

/** Every kind of alert that ends when its condition does. */
export const CONDITION_KINDS: ReadonlySet<string> = new Set([
  ...Object.keys(FINDINGS),
  ...Object.values(DATABASES).map(([kind]) => kind),
  'STATE_UNWRITABLE',
  'REPOSITORY_UNWRITABLE',
  'SCHEDULE_STALE',
  'DRILL_OLD',
  'QUARANTINE_GROWING',
]);

export const jobFailureKey = ({ kind, sourceId }: Pick<Job, 'kind' | 'sourceId'>): AlertKey => ({
  kind: `${kind.toUpperCase()}_FAILED`,
  sourceId,
  subject: '',
});

/** Null where its failure is nobody's affair but the asker's. */
export function jobFailure(job: Job): AlertSighting | null {
  const severity = JOB_FAILURES[job.kind];
  if (severity === undefined || job.status !== 'failed') return null;
  const message = `${job.kind} failed: ${job.error?.message ?? 'no reason given'}`;
  return { ...jobFailureKey(job), severity, message, jobId: job.id };
}

/** Of a recovery: what was repaired is over, but somebody should know. */
export function recoveries(job: Job): AlertSighting[] {
  const { sources = {} } = (job.result ?? {}) as {
    sources?: Record<string, { databases: { path: string; state: string; reason: string }[] }>;
  };
  return Object.entries(sources).flatMap(([sourceId, { databases }]) =>
    databases
      .filter(({ state }) => state === 'recovered')
      .map(({ path, reason }) => ({
        kind: 'DATABASE_RECOVERED',
        sourceId,
        subject: path,
        severity: 'warning' as const,
        message: `${path} was damaged and is recovered: ${reason}`,
        jobId: job.id,
      })),
  );
}

/** Of a snapshot that read all of a database: who wrote to the file around SQLite is not known, but somebody should. */
export function writtenAround({ id: jobId, sourceId, result }: Job): AlertSighting[] {
  const { writtenAround: paths = [] } = (result ?? {}) as { writtenAround?: string[] };
  return paths.map((path) => ({
    kind: 'DATABASE_WRITTEN_AROUND',
    sourceId,
    subject: path,
    severity: 'critical' as const,
    message: `${path} has changed where SQLite did not write: the medium is failing, or something else writes to the file`,
    jobId,
  }));
}

export function findingConditions(report: MethodResult<'health.report'>): AlertSighting[] {
  const findings = [...report.warnings, ...report.sources.flatMap(({ warnings }) => warnings)];
  const met = new Map<string, AlertSighting>();
  for (const { code, message, sourceId } of findings) {
    const severity = FINDINGS[code];
    if (severity === undefined) continue;
    const key = JSON.stringify([code, sourceId]);
    if (met.has(key)) continue;
    met.set(key, { kind: code, sourceId, subject: '', severity, message, jobId: null });
  }
  return [...met.values()];
}

/** What the daemon cannot work without, by the name of its probe. */
const PROBES: Readonly<Record<string, readonly [kind: string, what: string]>> = {
  state: ['STATE_UNWRITABLE', 'nothing can be noted, so no job can begin'],
  repository: ['REPOSITORY_UNWRITABLE', 'no snapshot can be taken'],
};

/** Probes of readiness that fail: they end when the fault does. */
export function probeConditions({
  checks,
}: Pick<MethodResult<'health.ready'>, 'checks'>): AlertSighting[] {
  return checks.flatMap(({ name, ok, message }) => {
    const [kind, what] = PROBES[name] ?? [];
    if (ok || kind === undefined) return [];
    const key = { kind, sourceId: null, subject: '' };
    const text = `${what}: ${message ?? 'no reason given'}`;
    return [{ ...key, severity: 'critical' as const, message: text, jobId: null }];
  });
}

export function databaseConditions(
  sourceId: string,
  { databases }: Pick<SourceState, 'databases'>,
): AlertSighting[] {
  return databases.flatMap(({ path, state, reason }) => {
    const [kind, what] = DATABASES[state] ?? [];
    if (kind === undefined) return [];
    const message = `${path} ${what}${reason === null ? '' : `: ${reason}`}`;
    return [{ kind, sourceId, subject: path, severity: 'critical' as const, message, jobId: null }];
  });
}

export function drillConditions(
  sourceId: string,
  { lastDrillAt }: Pick<SourceState, 'lastDrillAt'>,
  nowMs: number,
): AlertSighting[] {
  if (lastDrillAt === null || nowMs - Date.parse(lastDrillAt) <= DRILL_AGE_MS_MAX) return [];
  const message = `the last drill was at ${lastDrillAt}`;
  const key = { kind: 'DRILL_OLD', sourceId, subject: '' };
  return [{ ...key, severity: 'warning', message, jobId: null }];
}

/** In force, and nothing came of it for one and a half of its intervals. */
export function staleSchedules(
  schedules: readonly ScheduleState[],
  startedAtMs: number,
  nowMs: number,
): AlertSighting[] {
  return schedules.filter(isStale(startedAtMs, nowMs)).map((schedule) => ({
    kind: 'SCHEDULE_STALE',
    sourceId: schedule.sourceId,
    subject: schedule.id,
    severity: 'warning',
    message: `schedule ${schedule.id} (${schedule.kind}) last ran at ${schedule.lastDueAt ?? 'no time'}`,
    jobId: schedule.lastJobId,
  }));
}

const isStale =
  (startedAtMs: number, nowMs: number) =>
  ({ enabled, idleness, lastDueAt, nextDueAt, trigger }: ScheduleState): boolean => {
    if (!enabled || idleness !== null || nextDueAt === null) return false;
    // One that never ran is measured from the start: its first tick may be far off.
    const lastMs = lastDueAt === null ? startedAtMs : Date.parse(lastDueAt);
    const dueMs = Date.parse(nextDueAt);
    const intervalMs = trigger.type === 'interval' ? trigger.intervalMs : dueMs - lastMs;
    return nowMs > dueMs && nowMs - lastMs > STALE_INTERVALS * intervalMs;
  };

export function quarantineConditions(count: number, countMax: number | null): AlertSighting[] {
  if (countMax === null || countMax === 0 || count < countMax * QUARANTINE_SHARE_MAX) return [];
  const key = { kind: 'QUARANTINE_GROWING', sourceId: null, subject: '' };
  const message = `${count} of at most ${countMax} sets of replaced files are in quarantine`;
  return [{ ...key, severity: 'warning', message, jobId: null }];
}
