import { afterEach, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { ScheduleDesk } from './testing/schedule-desk.ts';
import { interval, sourceSettings } from './testing/source-settings.ts';

/** Times and retries while state.db cannot be written: nobody hears what a timer throws, so it must throw nothing. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let desk: ScheduleDesk;
afterEach(() => desk.remove());

/** SQLite refuses every write with SQLITE_READONLY, as on a file system that became read-only. */
const letWrite = (may: boolean): unknown =>
  desk.state.connection.pragma(`query_only = ${may ? 0 : 1}`);

async function hourly(): Promise<void> {
  desk = await ScheduleDesk.open('2026-03-27T12:00:00.000Z', [
    sourceSettings('/srv/app', {}, [interval(HOUR_MS)]),
  ]);
}

it('F43: runs that fell due meanwhile are made up for by one, once it can be written again', async () => {
  await hourly();
  letWrite(false);
  await desk.clock.advance(3 * HOUR_MS);
  expect(desk.jobs()).toEqual([]);
  letWrite(true);
  await desk.clock.advance(MINUTE_MS);
  expect(desk.jobs()).toHaveLength(1);
  await desk.clock.advance(HOUR_MS);
  expect(desk.jobs()).toHaveLength(2);
});

it('F42: a clock that is set back meanwhile ends neither the schedules nor the daemon', async () => {
  await hourly();
  letWrite(false);
  desk.clock.setWall(desk.clock.nowMs() - 6 * HOUR_MS);
  await desk.clock.advance(5 * MINUTE_MS);
  letWrite(true);
  await desk.clock.advance(70 * MINUTE_MS);
  expect(desk.jobs().length).toBeGreaterThanOrEqual(1);
});

it('F44, M-43: a retry that cannot be dropped now is dropped later', async () => {
  await hourly();
  desk.run = () => ({ code: 'BUSY', message: 'no', retryable: true });
  await desk.clock.advance(HOUR_MS);
  expect(desk.retries.list()).toHaveLength(1);
  await desk.live.replace(testSettings('/nowhere', { sources: [] }));
  letWrite(false);
  await desk.clock.advance(HOUR_MS / 2);
  expect(desk.abandoned).toEqual([]);
  expect(desk.retries.list()).toHaveLength(1);
  letWrite(true);
  await desk.clock.advance(MINUTE_MS);
  expect(desk.abandoned).toMatchObject([{ reason: 'its schedule is no longer there' }]);
  expect(desk.retries.list()).toEqual([]);
});
