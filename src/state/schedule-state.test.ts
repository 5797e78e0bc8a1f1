import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { type RetryRecord, RetryRecords } from './retry-records.ts';
import { FIRES_KEPT, ScheduleFires } from './schedule-fires.ts';
import { type ScheduleSetRecord, ScheduleSetRecords } from './schedule-set-records.ts';
import { openState, type StateDatabase } from './state-database.ts';

let directory: string;
let state: StateDatabase;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-state-'));
  state = await openState(join(directory, 'state.db'), { clock: systemClock });
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  state.close();
  state = await openState(state.path, { clock: systemClock });
}

const key = { sourceId: 'shop', scheduleId: 'nightly' };
const fire = (dueAt: number) => ({ ...key, dueAt, firedAt: dueAt + 5, jobId: 'job' });

it('ScheduleFires: a tick is known for good, and refused the second time', async () => {
  new ScheduleFires(state).insert(fire(1_000));
  await reopen();
  const fires = new ScheduleFires(state);
  expect(fires.has('shop', 'nightly', 1_000)).toBe(true);
  expect(fires.has('shop', 'nightly', 2_000)).toBe(false);
  expect(fires.has('wiki', 'nightly', 1_000)).toBe(false);
  expect(() => fires.insert(fire(1_000))).toThrow(/UNIQUE/);
});

it('ScheduleFires: is bounded, forgets what is gone, and what a wrong clock fired', () => {
  state.connection.pragma('synchronous = OFF');
  const fires = new ScheduleFires(state);
  state.transaction(() => {
    for (let tick = 1; tick <= FIRES_KEPT + 20; tick += 1) fires.insert(fire(tick));
  });
  const count = (): unknown =>
    state.connection.prepare('SELECT count(*) FROM scheduleFires').pluck().get();
  expect(count()).toBe(FIRES_KEPT);
  expect(fires.has('shop', 'nightly', 20)).toBe(false);
  fires.forgetAfter(500);
  expect(count()).toBe(480);
  fires.insert({ ...fire(1), sourceId: '' });
  fires.retainOnly([{ sourceId: '', scheduleId: 'nightly' }]);
  expect(count()).toBe(1);
});

it('ScheduleSetRecords: the set outlives the daemon; a change that fails leaves it as it was', async () => {
  const records = new ScheduleSetRecords(state);
  expect(records.get()).toBeNull();
  const set: ScheduleSetRecord = {
    version: 1,
    origin: 'rpc',
    schedules: [],
    paused: { all: false, keys: ['shop/nightly'] },
    changedAt: 5,
    appliedVersion: null,
    appliedAt: null,
  };
  records.update(() => set);
  await reopen();
  const after = new ScheduleSetRecords(state);
  expect(after.get()).toEqual(set);
  expect(() =>
    after.update(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(after.get()).toEqual(set);
  expect(after.update((known) => ({ ...known!, version: 2 })).version).toBe(2);
});

it('RetryRecords: what waits outlives the daemon, one for each schedule, the next first', async () => {
  const records = new RetryRecords(state);
  const retry: RetryRecord = {
    ...key,
    kind: 'backup',
    dueAt: 1_000,
    attempt: 1,
    nextAttemptAt: 9_000,
    lastJobId: 'job',
    lastError: { code: 'BUSY', message: 'no' },
    failedAt: 2_000,
  };
  records.put(retry);
  records.put({ ...retry, attempt: 2 });
  records.put({ ...retry, scheduleId: 'hourly', nextAttemptAt: 3_000 });
  await reopen();
  const after = new RetryRecords(state);
  expect(after.list().map(({ scheduleId, attempt }) => [scheduleId, attempt])).toEqual([
    ['hourly', 1],
    ['nightly', 2],
  ]);
  expect(after.remove('shop', 'hourly')).toBe(true);
  expect(after.remove('shop', 'hourly')).toBe(false);
  expect(after.list()).toHaveLength(1);
});
