import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApplicationKind } from './application.ts';
import type { ExpectedPolicy } from './expected-retention.ts';
import type { ExpectedScheduleKind } from './expected-schedules.ts';

/** What the simulated days protect, and what is to be done about it at which times. */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const GRACE_MS = DAY_MS;
export const QUARANTINE_MAX = 4;
export const JOBS_KEPT = 120;

export interface ProtectedApplication extends ApplicationKind {
  readonly policy: ExpectedPolicy;
  readonly writtenPolicy: Record<string, unknown>;
  readonly isWatched: boolean;
}

const PARIS = 'Europe/Paris';

export const APPLICATIONS: readonly ProtectedApplication[] = [
  {
    name: 'ledger',
    journalMode: 'wal',
    hasFiles: true,
    policy: { keepDaily: 3, keepWeekly: 2, keepMonthly: -1, pick: 'oldest' },
    writtenPolicy: { gfs: { daily: 3, weekly: 2, monthly: -1 } },
    isWatched: false,
  },
  {
    name: 'cache',
    journalMode: 'delete',
    hasFiles: false,
    policy: { keepLast: 4 },
    writtenPolicy: { count: 4 },
    isWatched: false,
  },
  {
    name: 'notes',
    journalMode: 'wal',
    hasFiles: true,
    policy: { keepHourly: 5, keepWithinMs: 36 * HOUR_MS, timeZone: PARIS },
    writtenPolicy: { keepHourly: 5, keepWithinMs: '36h', timeZone: PARIS },
    isWatched: false,
  },
  {
    name: 'plain',
    journalMode: null,
    hasFiles: true,
    policy: { maxAgeMs: 3 * DAY_MS },
    writtenPolicy: { maxAgeMs: '3d' },
    isWatched: true,
  },
];

/** Every schedule there is; `null` as source: of the repository as a whole. */
export const SCHEDULES: readonly ExpectedScheduleKind[] = [
  { source: 'ledger', id: 'nightly', kind: 'backup', cron: ['30 2 * * *', PARIS] },
  { source: 'ledger', id: 'often', kind: 'backup', intervalMs: 8 * HOUR_MS },
  { source: 'ledger', id: 'drill', kind: 'drill', cron: ['40 4 * * *', 'UTC'] },
  { source: 'cache', id: 'five', kind: 'backup', intervalMs: 7 * HOUR_MS },
  { source: 'cache', id: 'verify', kind: 'verify', cron: ['20 5 * * *', 'UTC'] },
  { source: 'notes', id: 'thrice', kind: 'backup', cron: ['15 */8 * * *', 'America/New_York'] },
  { source: 'plain', id: 'twice', kind: 'backup', intervalMs: 12 * HOUR_MS },
  { source: null, id: 'forget', kind: 'forget', cron: ['10 0 * * *', 'UTC'] },
  { source: null, id: 'prune', kind: 'prune', cron: ['50 0 */2 * *', 'UTC'] },
  { source: null, id: 'check', kind: 'check', cron: ['0 1 */3 * *', 'UTC'] },
];

export interface DaysPlaces {
  readonly root: string;
  readonly state: string;
  readonly repository: string;
  readonly socket: string;
  readonly config: string;
  application(name: string): string;
}

export function daysPlaces(root: string): DaysPlaces {
  return {
    root,
    state: join(root, 'state'),
    repository: join(root, 'repository'),
    socket: join(root, 'socket'),
    config: join(root, 'holdfast.json'),
    application: (name) => join(root, 'applications', name),
  };
}

function scheduleSettings({ id, kind, cron, intervalMs }: ExpectedScheduleKind) {
  const trigger =
    cron === undefined
      ? { type: 'interval', intervalMs }
      : { type: 'cron', expression: cron[0], timeZone: cron[1] };
  return { id, kind, trigger };
}

export function writeConfiguration(places: DaysPlaces, isEncrypted: boolean): void {
  for (const { name } of APPLICATIONS) mkdirSync(places.application(name), { recursive: true });
  const keyFile = join(places.root, 'key');
  if (isEncrypted) writeFileSync(keyFile, Buffer.alloc(32, 7), { mode: 0o600 });
  const document = {
    stateDirectory: places.state,
    repositoryDirectory: places.repository,
    socketPath: places.socket,
    ...(isEncrypted ? { repositoryKey: { keyFile } } : {}),
    jobs: { keptCount: JOBS_KEPT },
    prune: { graceMs: GRACE_MS },
    quarantine: { maxCount: QUARANTINE_MAX },
    schedules: SCHEDULES.filter(({ source }) => source === null).map(scheduleSettings),
    sources: APPLICATIONS.map(({ name, writtenPolicy, isWatched }) => ({
      name,
      roots: [{ class: 'data', path: places.application(name) }],
      watch: isWatched
        ? { enabled: true, usePolling: true, pollMs: '30m', quietMs: '5m', minGapMs: '10m' }
        : { enabled: false },
      retention: writtenPolicy,
      schedules: SCHEDULES.filter(({ source }) => source === name).map(scheduleSettings),
    })),
  };
  writeFileSync(places.config, JSON.stringify(document));
}
