import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DaemonEvent } from '../api/event-hub.ts';
import { QUIET_FACTS } from '../api/testing/api-fixture.ts';
import { SettingsHolder } from '../config/live-settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import type { Job } from '../jobs/job.ts';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import type { Alert, MethodResult } from '../protocol/method-map.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { LOOK_MS } from './alert-keeper.ts';
import { createOversight, type Oversight } from './create-oversight.ts';
import { HEARTBEAT_MS } from './heartbeat.ts';

let directory: string;
let state: StateDatabase;
let clock: ManualClock;
let events: DaemonEvent[];
let warnings: { code: string; message: string; sourceId: string | null }[];
let checks: { name: string; ok: boolean; message: string | null; durationMs: number }[];
let oversight: Oversight;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'oversight-'));
  clock = new ManualClock();
  events = [];
  warnings = [];
  checks = [];
  const settings = testSettings(directory);
  await mkdir(settings.stateDirectory, { recursive: true });
  state = await openState(join(settings.stateDirectory, 'state.db'), { clock: systemClock });
  oversight = open();
});
afterEach(async () => {
  await oversight.keeper.stop(0);
  await oversight.heartbeat.stop();
  state.close();
  await rm(directory, { recursive: true, force: true });
});

const open = (): Oversight =>
  createOversight({
    state,
    live: new SettingsHolder(testSettings(directory)),
    clock,
    logger: silentLogger,
    report: async () =>
      ({ warnings, sources: [], ready: { checks } }) as unknown as MethodResult<'health.report'>,
    sourceFacts: () => QUIET_FACTS,
    schedules: () => [],
    publish: (event) => events.push(event),
  });

const ended = (kind: Job['kind'], status: Job['status']): void =>
  oversight.receive({
    sequence: 1,
    type: 'job.changed',
    job: { id: 'j', kind, status, sourceId: 'app', result: {}, error: null } as unknown as Job,
  });
const alerts = (): Alert[] =>
  oversight.alerts.list(['open', 'acknowledged', 'resolved'], null, 100).map(({ alert }) => alert);

it('M-54, Z-D29: a failed backup raises an alert, and the next good one resolves it', () => {
  ended('backup', 'failed');
  ended('backup', 'failed');
  expect(alerts()).toMatchObject([{ kind: 'BACKUP_FAILED', count: 2, state: 'open' }]);
  ended('forget', 'succeeded');
  expect(alerts()).toMatchObject([{ state: 'open' }]);
  ended('backup', 'succeeded');
  expect(alerts()).toMatchObject([{ state: 'resolved' }]);
  expect(events.map(({ type }) => type)).toEqual(Array(3).fill('alert.changed'));
});

it('F57: every minute what lasts is an alert, and what has ended is resolved', async () => {
  await oversight.keeper.start();
  warnings = [{ code: 'LOW_SPACE', message: '5 bytes are left', sourceId: null }];
  clock.advance(LOOK_MS);
  while (alerts().length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(alerts()).toMatchObject([{ kind: 'LOW_SPACE', severity: 'critical', state: 'open' }]);
  warnings = [];
  while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(LOOK_MS);
  while (alerts()[0]?.state === 'open') await new Promise((resolve) => setImmediate(resolve));
  expect(alerts()).toMatchObject([{ state: 'resolved' }]);
});

it('Z-D3: after a job that failed of its disk what lasts is looked at soon, not in a minute', async () => {
  await oversight.keeper.start();
  checks = [{ name: 'state', ok: false, message: 'read-only', durationMs: 1 }];
  const error = { code: 'IO_ERROR', message: 'EROFS', retryable: false };
  const job = { id: 'j', kind: 'backup', status: 'failed', sourceId: 'app', result: null, error };
  oversight.receive({ sequence: 1, type: 'job.changed', job: job as unknown as Job });
  clock.advance(LOOK_MS / 10);
  while (alerts().length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(alerts().map(({ kind }) => kind)).toEqual(['STATE_UNWRITABLE', 'BACKUP_FAILED']);
});

it('M-43: a run that is given up is in the audit trail, as a decision of the daemon', () => {
  const pending = { scheduleId: 's', sourceId: 'app' } as never;
  oversight.publish({ type: 'pending.abandoned', pending });
  expect(oversight.audit.list(null, null, 10)).toMatchObject([
    { action: 'pending.abandoned', actor: 'daemon', outcome: 'ok', params: { scheduleId: 's' } },
  ]);
  expect(events).toHaveLength(1);
});

it('F02, M-03, F05, Z-101: a heartbeat every 30 s, and the next run knows when this one was last alive', async () => {
  expect(oversight.heartbeat.previousRun).toBeNull();
  await oversight.heartbeat.start();
  clock.advance(2 * HEARTBEAT_MS);
  expect(events.map(({ type }) => type)).toEqual(Array(3).fill('daemon.heartbeat'));
  const lastSeenAt = new Date(clock.nowMs()).toISOString();
  clock.advance(HEARTBEAT_MS - 1);
  expect(open().heartbeat.previousRun).toEqual({ lastSeenAt, clean: false });
  await oversight.heartbeat.stop();
  expect(open().heartbeat.previousRun).toMatchObject({ clean: true });
});
