import { expect, it } from 'vitest';
import type { Job } from '../jobs/job.ts';
import type { ScheduleState } from '../protocol/method-map.ts';
import {
  CONDITION_KINDS,
  databaseConditions,
  drillConditions,
  jobFailure,
  probeConditions,
  quarantineConditions,
  recoveries,
  staleSchedules,
  writtenAround,
} from './alert-conditions.ts';

const HOUR_MS = 3_600_000;
const nowMs = Date.UTC(2026, 5, 1);
const ago = (ms: number): string => new Date(nowMs - ms).toISOString();

const failed = (kind: Job['kind'], fields: Partial<Job> = {}): Job =>
  ({
    id: 'j',
    kind,
    status: 'failed',
    sourceId: 'app',
    result: null,
    error: { code: 'IO_ERROR', message: 'Cannot read', retryable: false },
    ...fields,
  }) as Job;

const schedule = (fields: Partial<ScheduleState>): ScheduleState => ({
  id: 'hourly',
  sourceId: 'app',
  kind: 'backup',
  trigger: { type: 'interval', intervalMs: HOUR_MS },
  enabled: true,
  catchUp: 'one',
  jitterMs: 0,
  overlap: 'skip',
  origin: 'configuration',
  idleness: null,
  nextDueAt: ago(1),
  lastDueAt: ago(HOUR_MS),
  lastRunAt: null,
  lastStatus: null,
  lastJobId: null,
  ...fields,
});
const stale = (fields: Partial<ScheduleState>, startedAtMs = nowMs): boolean =>
  staleSchedules([schedule(fields)], startedAtMs, nowMs).length === 1;

it('M-54: a failed backup or forget is a warning, a failed prune or check is critical', () => {
  const severities = (['backup', 'forget', 'prune', 'check'] as const).map((kind) => {
    const alert = jobFailure(failed(kind))!;
    return [alert.kind, alert.severity];
  });
  expect(severities).toEqual([
    ['BACKUP_FAILED', 'warning'],
    ['FORGET_FAILED', 'warning'],
    ['PRUNE_FAILED', 'critical'],
    ['CHECK_FAILED', 'critical'],
  ]);
  expect(jobFailure(failed('backup', { status: 'cancelled' }))).toBeNull();
  expect(jobFailure(failed('diff'))).toBeNull();
});

it('M-54: a schedule is stale after one and a half of its intervals without a run', () => {
  expect(stale({ lastDueAt: ago(1.5 * HOUR_MS) })).toBe(false);
  expect(stale({ lastDueAt: ago(1.5 * HOUR_MS + 1) })).toBe(true);
  expect(stale({ lastDueAt: ago(9 * HOUR_MS), enabled: false })).toBe(false);
  expect(stale({ lastDueAt: ago(9 * HOUR_MS), idleness: 'paused', nextDueAt: null })).toBe(false);
  expect(stale({ lastDueAt: ago(9 * HOUR_MS), nextDueAt: ago(-HOUR_MS) })).toBe(false);
  // A cron schedule's interval is the one that it is late for.
  const trigger = { type: 'cron', expression: '0 4 * * *', timeZone: 'UTC' } as const;
  const daily = { trigger, lastDueAt: ago(36 * HOUR_MS) };
  expect(stale({ ...daily, nextDueAt: ago(12 * HOUR_MS) })).toBe(false);
  expect(stale({ ...daily, nextDueAt: ago(12 * HOUR_MS + 1) })).toBe(true);
  // One that never ran is measured from the start of the daemon.
  expect(stale({ lastDueAt: null })).toBe(false);
  expect(stale({ lastDueAt: null }, nowMs - 2 * HOUR_MS)).toBe(true);
});

it('F57: databases that wait for a person, recoveries, old drills, a quarantine that fills up', () => {
  const database = { checkedAt: ago(1), reportId: null };
  const databases = [
    { path: '/a.db', state: 'ok', reason: null, ...database },
    { path: '/b.db', state: 'needs-operator', reason: 'no candidate', ...database },
    { path: '/c.db', state: 'regressed', reason: null, ...database },
    { path: '/d.db', state: 'missing', reason: null, ...database },
  ] as const;
  expect(
    databaseConditions('app', { databases }).map(({ kind, subject }) => [kind, subject]),
  ).toEqual([
    ['DATABASE_NEEDS_OPERATOR', '/b.db'],
    ['DATABASE_REGRESSED', '/c.db'],
    ['DATABASE_MISSING', '/d.db'],
  ]);
  const result = {
    sources: { app: { databases: [{ path: '/a.db', state: 'recovered', reason: 'healed' }] } },
  };
  expect(recoveries(failed('recover', { status: 'succeeded', result }))).toMatchObject([
    { kind: 'DATABASE_RECOVERED', subject: '/a.db', message: expect.stringContaining('healed') },
  ]);
  const days = (count: number) => ({ lastDrillAt: ago(count * 24 * HOUR_MS) });
  expect(drillConditions('app', days(34), nowMs)).toEqual([]);
  expect(drillConditions('app', days(36), nowMs)).toMatchObject([{ kind: 'DRILL_OLD' }]);
  expect(quarantineConditions(79, 100)).toEqual([]);
  expect(quarantineConditions(80, 100)).toMatchObject([{ kind: 'QUARANTINE_GROWING' }]);
  expect(quarantineConditions(80, null)).toEqual([]);
});

it('F57: a state directory or a repository that cannot be written is an alert that ends with it', () => {
  const check = (name: string, ok: boolean) => ({ name, ok, message: 'EROFS', durationMs: 1 });
  const found = probeConditions({
    checks: [check('boot', false), check('state', false), check('repository', false)],
  });
  expect(found).toMatchObject([
    { kind: 'STATE_UNWRITABLE', severity: 'critical', message: expect.stringContaining('EROFS') },
    { kind: 'REPOSITORY_UNWRITABLE', severity: 'critical' },
  ]);
  for (const { kind } of found) expect(CONDITION_KINDS.has(kind)).toBe(true);
  expect(probeConditions({ checks: [check('state', true), check('repository', true)] })).toEqual(
    [],
  );
});

it('a database that was written around SQLite is worth an alert', () => {
  const job = failed('backup', { status: 'succeeded', result: { writtenAround: ['data/app.db'] } });
  expect(writtenAround(job)).toMatchObject([
    {
      kind: 'DATABASE_WRITTEN_AROUND',
      sourceId: 'app',
      subject: 'data/app.db',
      severity: 'critical',
    },
  ]);
  expect(writtenAround(failed('backup', { status: 'succeeded', result: {} }))).toEqual([]);
});
