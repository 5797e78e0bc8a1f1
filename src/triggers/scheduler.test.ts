import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ScheduleSettings } from '../config/settings.ts';
import { silentLogger } from '../kernel/logger.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { Scheduler } from './scheduler.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { cron, interval, sourceSettings } from './testing/source-settings.ts';
import type { TriggerRequest } from './trigger-request.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = '2026-03-27T12:00:00.000Z';

let directory: string;
let state: StateDatabase;
let clock: FakeClock;
let asked: { at: string; request: TriggerRequest }[];
let refusal: Error | null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-scheduler-'));
  clock = new FakeClock(Date.parse(START));
  state = await openState(join(directory, 'state.db'), { clock });
  asked = [];
  refusal = null;
});

afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

function scheduler(...schedules: ScheduleSettings[]): Scheduler {
  return new Scheduler({
    sources: [sourceSettings(directory, {}, schedules)],
    store: new ScheduleRecords(state),
    clock,
    logger: silentLogger,
    enqueue: (request) => {
      if (refusal !== null) throw refusal;
      asked.push({ at: new Date(clock.nowMs()).toISOString(), request });
      return { id: `job-${asked.length}` };
    },
  });
}

const times = (): string[] => asked.map(({ at }) => at.slice(5, 16));

describe('Scheduler', () => {
  it('asks at the times of a cron expression, over a clock change, once a day', async () => {
    const subject = scheduler(cron('30 2 * * *', 'Europe/Paris'));
    await subject.start();
    await clock.advance(4 * DAY_MS);
    expect(times()).toEqual(['03-28T01:30', '03-29T01:30', '03-30T00:30', '03-31T00:30']);
    await subject.stop();
  });

  it('a new interval runs first after one interval, and a restart does not set it back', async () => {
    const first = scheduler(interval(6 * HOUR_MS));
    await first.start();
    await clock.advance(8 * HOUR_MS);
    await first.stop();
    const second = scheduler(interval(6 * HOUR_MS));
    await second.start();
    await clock.advance(4 * HOUR_MS);
    await second.stop();
    expect(times()).toEqual(['03-27T18:00', '03-28T00:00']);
  });

  it.each([
    ['cron', cron('*/10 * * * *', 'UTC')],
    ['interval', interval(600_000)],
  ])('any number of missed runs is made up for by one (%s)', async (_type, schedule) => {
    const first = scheduler(schedule);
    await first.start();
    await first.stop();
    clock.setWall(clock.nowMs() + 3 * DAY_MS + 5_000);
    const second = scheduler(schedule);
    await second.start();
    expect(asked).toHaveLength(1);
    await second.stop();
    const third = scheduler(schedule);
    await third.start();
    expect(asked).toHaveLength(1);
    await clock.advance(600_000);
    expect(asked).toHaveLength(2);
    await third.stop();
  });

  it('or by none, where that is asked for', async () => {
    const schedule = interval(HOUR_MS, { catchUp: 'none' });
    const first = scheduler(schedule);
    await first.start();
    await first.stop();
    clock.setWall(clock.nowMs() + DAY_MS);
    const second = scheduler(schedule);
    await second.start();
    expect(asked).toEqual([]);
    await clock.advance(HOUR_MS);
    expect(asked).toHaveLength(1);
    await second.stop();
  });

  it('a host that slept makes up for it within half a minute of waking', async () => {
    const subject = scheduler(interval(6 * HOUR_MS));
    await subject.start();
    clock.setWall(clock.nowMs() + 2 * DAY_MS);
    await clock.advance(30_000);
    expect(asked).toHaveLength(1);
    await clock.advance(HOUR_MS);
    expect(asked).toHaveLength(1);
    await subject.stop();
  });

  it('a clock set back a year does not stop a schedule for a year', async () => {
    const subject = scheduler(
      interval(HOUR_MS, { id: 'a' }),
      cron('0 * * * *', 'UTC', { id: 'b' }),
    );
    await subject.start();
    clock.setWall(clock.nowMs() - 365 * DAY_MS);
    await clock.advance(2 * HOUR_MS + 60_000);
    expect(asked.length).toBeGreaterThanOrEqual(4);
    expect(asked.length).toBeLessThanOrEqual(6);
    await subject.stop();
    clock.setWall(clock.nowMs() - 365 * DAY_MS);
    asked = [];
    const restarted = scheduler(interval(HOUR_MS, { id: 'a' }));
    await restarted.start();
    await clock.advance(HOUR_MS);
    expect(asked).toHaveLength(1);
    await restarted.stop();
  });

  it('a changed definition is computed anew, a removed one forgotten', async () => {
    const first = scheduler(interval(HOUR_MS), interval(HOUR_MS, { id: 'other' }));
    await first.start();
    await first.stop();
    const second = scheduler(interval(30 * DAY_MS));
    await second.start();
    expect(second.due(sourceSettings(directory, {}, [interval(1)]))).toEqual([
      {
        scheduleId: 'backup',
        kind: 'backup',
        nextDueAt: '2026-04-26T12:00:00.000Z',
        lastDueAt: null,
      },
    ]);
    await clock.advance(2 * HOUR_MS);
    expect(asked).toEqual([]);
    expect(new ScheduleRecords(state).list()).toHaveLength(1);
    await second.stop();
  });

  it('a refused request is asked again with the same key, and the schedule moves on only then', async () => {
    const subject = scheduler(interval(HOUR_MS));
    await subject.start();
    refusal = new Error('queue full');
    await clock.advance(HOUR_MS + 10_000);
    expect(new ScheduleRecords(state).get('app', 'backup')!.lastDueAt).toBeNull();
    refusal = null;
    await clock.advance(60_000);
    expect(asked).toHaveLength(1);
    expect(asked[0]!.request).toEqual({
      kind: 'backup',
      sourceId: 'app',
      params: { sourceId: 'app', type: 'full', origin: 'schedule', reason: 'schedule backup' },
      actor: 'schedule',
      idempotencyKey: 'schedule:app:backup:backup:2026-03-27T13:00:00.000Z',
    });
    expect(new ScheduleRecords(state).get('app', 'backup')).toMatchObject({
      lastDueAt: Date.parse('2026-03-27T13:00Z'),
      lastRunJobId: 'job-1',
    });
    await subject.stop();
  });

  it('a crash between asking and remembering asks with the same key again', async () => {
    const before = scheduler(interval(HOUR_MS));
    await before.start();
    const record = new ScheduleRecords(state).get('app', 'backup')!;
    await clock.advance(HOUR_MS);
    await before.stop();
    new ScheduleRecords(state).put(record);
    const after = scheduler(interval(HOUR_MS));
    await after.start();
    await after.stop();
    expect(asked.map(({ request }) => request.idempotencyKey)).toEqual([
      asked[0]!.request.idempotencyKey,
      asked[0]!.request.idempotencyKey,
    ]);
  });

  it('checks of the one repository that are due together are one request', async () => {
    const schedules = [
      interval(HOUR_MS, { id: 'a', kind: 'check' }),
      interval(HOUR_MS, { id: 'b', kind: 'check' }),
    ];
    const subject = scheduler(...schedules);
    await subject.start();
    await clock.advance(HOUR_MS);
    const [first, second] = asked.map(({ request }) => request);
    expect(first).toEqual(second);
    expect(first!.sourceId).toBeNull();
    await subject.stop();
  });

  it('what is turned off never runs and says so', async () => {
    const schedule = interval(HOUR_MS, { enabled: false });
    const subject = scheduler(schedule);
    await subject.start();
    await clock.advance(DAY_MS);
    expect(asked).toEqual([]);
    const [due] = subject.due(sourceSettings(directory, {}, [schedule]));
    expect(due!.nextDueAt).toBeNull();
    await subject.stop();
  });
});
