import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { BaselineRecords } from './baseline-records.ts';
import { FlagRecords } from './flag-records.ts';
import { type ScheduleRecord, ScheduleRecords } from './schedule-records.ts';
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

const nightly: ScheduleRecord = {
  sourceId: 'shop',
  scheduleId: 'nightly',
  version: 'v1',
  lastDueAt: 1_800_000_000_000,
  nextDueAt: 1_800_086_400_000,
  lastRunJobId: 'job',
};

it('ScheduleRecords: due times outlive the daemon, per source and schedule', async () => {
  const records = new ScheduleRecords(state);
  expect(records.get('shop', 'nightly')).toBeNull();
  const other = { ...nightly, sourceId: 'wiki', lastDueAt: null, lastRunJobId: null };
  records.put({ ...nightly, lastDueAt: null });
  records.put(nightly);
  records.put(other);
  await reopen();
  const after = new ScheduleRecords(state);
  expect(after.get('shop', 'nightly')).toEqual(nightly);
  expect(after.list()).toEqual([nightly, other]);
});

it('ScheduleRecords.retainOnly() forgets what is no longer configured, even to the last', async () => {
  const records = new ScheduleRecords(state);
  records.put(nightly);
  records.put({ ...nightly, scheduleId: 'hourly' });
  expect(records.retainOnly([nightly])).toBe(1);
  expect(records.list()).toEqual([nightly]);
  expect(records.retainOnly([])).toBe(1);
  expect(records.list()).toEqual([]);
});

it('Z-63: BaselineRecords: the last capture per source outlives the daemon, until it is removed', async () => {
  const records = new BaselineRecords(state);
  const baseline = { sourceId: 'shop', sourceFingerprint: 'f1', snapshotId: 'ab', at: 1_800 };
  records.put({ ...baseline, sourceFingerprint: 'f0' });
  records.put(baseline);
  await reopen();
  const after = new BaselineRecords(state);
  expect(after.get('shop')).toEqual(baseline);
  expect(after.list()).toEqual([baseline]);
  after.remove('shop');
  expect(after.get('shop')).toBeNull();
});

it('FlagRecords: null is a value, absence is not', async () => {
  const flags = new FlagRecords(state);
  flags.set('null', null);
  flags.set('zero', 0);
  await reopen();
  const after = new FlagRecords(state);
  expect(after.get('null')).toBeNull();
  expect(after.get('zero')).toBe(0);
  expect(after.get('absent')).toBeUndefined();
  after.remove('zero');
  expect(after.get('zero')).toBeUndefined();
});
