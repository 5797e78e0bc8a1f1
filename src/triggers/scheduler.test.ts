import { afterEach, describe, expect, it } from 'vitest';
import type { ScheduleDefinition } from '../config/settings.ts';
import { testSource } from '../config/testing/settings.ts';
import type { Timer } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { ScheduleFires } from '../state/schedule-fires.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { Scheduler } from './scheduler.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { ScheduleDesk } from './testing/schedule-desk.ts';
import { cron, interval, sourceSettings } from './testing/source-settings.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START = '2026-03-27T12:00:00.000Z';

let desk: ScheduleDesk;

afterEach(() => desk.remove());

async function opened(...schedules: ScheduleDefinition[]): Promise<ScheduleDesk> {
  desk = await ScheduleDesk.open(START, [sourceSettings('/srv/app', {}, schedules)]);
  return desk;
}

describe('Scheduler', () => {
  it('F42, Z-02: asks at the times of a cron expression, over a clock change, once a day', async () => {
    await opened(cron('30 2 * * *', 'Europe/Paris'));
    await desk.clock.advance(4 * DAY_MS);
    expect(desk.ticks()).toEqual(['03-28T01:30', '03-29T01:30', '03-30T00:30', '03-31T00:30']);
  });

  it('Z-06, T-45: a new interval runs first after one interval, and a restart does not set it back', async () => {
    await opened(interval(6 * HOUR_MS));
    await desk.clock.advance(8 * HOUR_MS);
    await desk.restart();
    await desk.clock.advance(4 * HOUR_MS);
    expect(desk.ticks()).toEqual(['03-27T18:00', '03-28T00:00']);
  });

  it('T-D24, F-D8: an interval of 24 h fires daily where the daemon restarts every 6 h', async () => {
    await opened(interval(DAY_MS));
    for (let restart = 0; restart < 12; restart += 1) {
      await desk.clock.advance(6 * HOUR_MS - 10 * MINUTE_MS);
      await desk.restart(10 * MINUTE_MS);
    }
    expect(desk.ticks()).toEqual(['03-28T12:00', '03-29T12:00', '03-30T12:00']);
  });

  it('M-33: the job carries the schedule, its tick and when it really began', async () => {
    await opened(interval(HOUR_MS, { id: 'hourly' }));
    await desk.stopDaemon();
    desk.clock.setWall(desk.clock.nowMs() + 90 * MINUTE_MS);
    await desk.startDaemon();
    expect(desk.jobs()).toMatchObject([
      {
        kind: 'backup',
        actor: 'schedule',
        sourceId: 'app',
        scheduleId: 'hourly',
        scheduledAt: '2026-03-27T13:00:00.000Z',
        startedAt: '2026-03-27T13:30:00.000Z',
        attempt: 1,
        params: { sourceId: 'app', type: 'full', origin: 'schedule', reason: 'schedule hourly' },
      },
    ]);
  });

  it.each([
    ['cron', cron('*/10 * * * *', 'UTC')],
    ['interval', interval(10 * MINUTE_MS)],
  ])(
    'M-D3: ticks missed while down are made up for by one run, never twice (%s)',
    async (_type, schedule) => {
      await opened(schedule);
      await desk.restart(3 * DAY_MS + 5_000);
      expect(desk.jobs()).toHaveLength(1);
      await desk.restart();
      expect(desk.jobs()).toHaveLength(1);
      await desk.clock.advance(10 * MINUTE_MS);
      expect(desk.jobs()).toHaveLength(2);
    },
  );

  it('or by none, where that is asked for', async () => {
    await opened(interval(HOUR_MS, { catchUp: 'none' }));
    await desk.restart(DAY_MS + MINUTE_MS * 5);
    expect(desk.jobs()).toEqual([]);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs()).toHaveLength(1);
  });

  it('a host that slept makes up for it within half a minute of waking', async () => {
    await opened(interval(6 * HOUR_MS));
    desk.clock.setWall(desk.clock.nowMs() + 2 * DAY_MS + MINUTE_MS);
    await desk.clock.advance(30_000);
    expect(desk.jobs()).toHaveLength(1);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs()).toHaveLength(1);
  });

  it('a clock set forward fires one run, and set back again none of the same ticks', async () => {
    await opened(cron('0 * * * *', 'UTC'));
    await desk.clock.advance(90 * MINUTE_MS);
    expect(desk.ticks()).toEqual(['03-27T13:00']);
    desk.clock.setWall(desk.clock.nowMs() + 5 * HOUR_MS);
    await desk.clock.advance(MINUTE_MS);
    expect(desk.ticks()).toEqual(['03-27T13:00', '03-27T14:00']);
    desk.clock.setWall(Date.parse('2026-03-27T12:30Z'));
    await desk.clock.advance(3 * HOUR_MS);
    expect(desk.ticks()).toEqual(['03-27T13:00', '03-27T14:00', '03-27T15:00']);
    await desk.restart();
    expect(desk.nextDue('backup')).toBe('2026-03-27T16:00:00.000Z');
  });

  it('a clock set back a year does not stop a schedule for a year', async () => {
    await opened(interval(HOUR_MS, { id: 'a' }), cron('0 * * * *', 'UTC', { id: 'b' }));
    desk.clock.setWall(desk.clock.nowMs() - 365 * DAY_MS);
    await desk.clock.advance(2 * HOUR_MS + MINUTE_MS);
    expect(desk.jobs().length).toBeGreaterThanOrEqual(4);
    expect(desk.jobs().length).toBeLessThanOrEqual(6);
    const before = desk.jobs().length;
    await desk.restart(-365 * DAY_MS);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs().length).toBe(before + 2);
  });

  it('a clock that was days ahead leaves nothing behind that blocks the right times', async () => {
    await opened(cron('0 * * * *', 'UTC'));
    desk.clock.setWall(desk.clock.nowMs() + 30 * DAY_MS);
    await desk.clock.advance(5 * HOUR_MS);
    const wrong = desk.jobs().length;
    desk.clock.setWall(desk.clock.nowMs() - 30 * DAY_MS);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs().length).toBe(wrong + 1);
  });

  it('a tick, its job and the next due time are durable together or not at all', async () => {
    await opened(interval(HOUR_MS));
    const before = new ScheduleRecords(desk.state).get('app', 'backup');
    // The transaction that would make all of it durable cannot end.
    desk.state.connection.exec(
      "CREATE TRIGGER full BEFORE UPDATE ON schedules BEGIN SELECT raise(ABORT, 'disk full'); END;" +
        "CREATE TRIGGER full2 BEFORE INSERT ON schedules BEGIN SELECT raise(ABORT, 'disk full'); END;",
    );
    await desk.clock.advance(HOUR_MS + MINUTE_MS);
    expect(desk.jobs()).toEqual([]);
    const dueAt = Date.parse('2026-03-27T13:00Z');
    expect(new ScheduleFires(desk.state).has('app', 'backup', dueAt)).toBe(false);
    expect(new ScheduleRecords(desk.state).get('app', 'backup')).toEqual(before);
    desk.state.connection.exec('DROP TRIGGER full; DROP TRIGGER full2');
    await desk.clock.advance(MINUTE_MS);
    expect(desk.ticks()).toEqual(['03-27T13:00']);
    expect(new ScheduleFires(desk.state).has('app', 'backup', dueAt)).toBe(true);
  });

  it('a refused request is asked again, and the schedule moves on only then', async () => {
    await opened(interval(HOUR_MS));
    desk.refusal = new Error('queue full');
    await desk.clock.advance(HOUR_MS + 10_000);
    expect(new ScheduleRecords(desk.state).get('app', 'backup')!.lastDueAt).toBeNull();
    desk.refusal = null;
    await desk.clock.advance(MINUTE_MS);
    expect(desk.ticks()).toEqual(['03-27T13:00']);
    expect(new ScheduleRecords(desk.state).get('app', 'backup')).toMatchObject({
      lastDueAt: Date.parse('2026-03-27T13:00Z'),
      lastRunJobId: desk.jobs()[0]!.id,
    });
  });

  it('a changed definition is computed anew, a removed one forgotten', async () => {
    await opened(interval(HOUR_MS), interval(HOUR_MS, { id: 'other' }));
    const source = testSource({ schedules: [interval(30 * DAY_MS)] });
    await desk.live.replace({ ...desk.live.current, sources: [source] });
    expect(desk.nextDue('backup')).toBe('2026-04-26T12:00:00.000Z');
    await desk.clock.advance(2 * HOUR_MS);
    expect(desk.jobs()).toEqual([]);
    expect(new ScheduleRecords(desk.state).list()).toHaveLength(1);
  });

  it('a run that still goes on leaves the next ones out; or one waits behind it', async () => {
    await opened(
      interval(HOUR_MS, { id: 'skips', kind: 'verify' }),
      interval(HOUR_MS, { id: 'queues', kind: 'drill', overlap: 'queue' }),
    );
    let end = (): void => {};
    const held = new Promise<null>((resolve) => {
      end = () => resolve(null);
    });
    desk.run = () => held;
    await desk.clock.advance(5 * HOUR_MS);
    const of = (id: string) => desk.jobs().filter(({ scheduleId }) => scheduleId === id);
    expect(of('skips').length).toBe(1);
    expect(of('queues').length).toBeLessThanOrEqual(2);
    end();
    await desk.clock.advance(MINUTE_MS);
    desk.run = () => null;
    const before = of('skips').length;
    await desk.clock.advance(HOUR_MS);
    expect(of('skips').length).toBe(before + 1);
  });

  it('jitter depends on the tick alone, and is never more than was asked for', async () => {
    const jitterMs = 20 * MINUTE_MS;
    await opened(cron('0 * * * *', 'UTC', { jitterMs }));
    await desk.clock.advance(12 * HOUR_MS + jitterMs);
    const lateMs = desk
      .jobs()
      .map(({ startedAt, scheduledAt }) => Date.parse(startedAt!) - Date.parse(scheduledAt!));
    expect(lateMs).toHaveLength(12);
    expect(Math.max(...lateMs)).toBeLessThanOrEqual(jitterMs);
    expect(new Set(lateMs).size).toBeGreaterThan(6);
    const first = desk.ticks();
    await desk.restart();
    expect(desk.ticks()).toEqual(first);
  });

  it('F43, M-44: forget, prune and check run at their times, and are not made up for', async () => {
    desk = await ScheduleDesk.open(START);
    await desk.live.replace({
      ...desk.live.current,
      schedules: (['forget', 'prune', 'check'] as const).map((kind) => {
        const { sourceId: _, ...schedule } = interval(DAY_MS, { id: kind, kind, catchUp: 'none' });
        return schedule;
      }),
    });
    await desk.clock.advance(DAY_MS);
    expect(desk.jobs().map(({ kind, sourceId, params }) => ({ kind, sourceId, params }))).toEqual([
      { kind: 'forget', sourceId: null, params: {} },
      { kind: 'prune', sourceId: null, params: {} },
      { kind: 'check', sourceId: null, params: { readData: { percent: 10, seed: 20_540 } } },
    ]);
    await desk.restart(3 * DAY_MS + HOUR_MS);
    expect(desk.jobs()).toHaveLength(3);
    await desk.clock.advance(DAY_MS);
    expect(desk.jobs()).toHaveLength(6);
  });

  it('checks of the one repository that are due together are one', async () => {
    await opened(
      interval(HOUR_MS, { id: 'a', kind: 'check' }),
      interval(HOUR_MS, { id: 'b', kind: 'check' }),
    );
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs()).toMatchObject([{ kind: 'check', sourceId: null }]);
  });
});

/** A clock whose timers are a little early, as those of an operating system may be, and that goes on while it is read. */
class EarlyClock extends FakeClock {
  override nowMs(): number {
    const nowMs = super.nowMs();
    this.setWall(nowMs + 0.4);
    return nowMs;
  }

  override after(delayMs: number, callback: () => void): Timer {
    return super.after(delayMs - 0.6, callback);
  }
}

it('M-D3: what becomes due while it is looked for is asked for at once, not half a minute later', async () => {
  const clock = new EarlyClock(Date.UTC(2026, 0, 1));
  let fired = 0;
  const scheduler = new Scheduler({
    store: { get: () => null, put: () => {}, retainOnly: () => {} },
    fires: { has: () => false, insert: () => {}, forgetAfter: () => {}, retainOnly: () => {} },
    clock,
    logger: silentLogger,
    submit: ({ alongside }) => {
      fired += 1;
      alongside('job');
      return { id: 'job' };
    },
    isUnderWay: () => false,
  });
  const schedule = { ...interval(1_000), sourceId: 'app' };
  scheduler.apply([schedule], [{ sourceId: 'app', scheduleId: schedule.id }]);
  await clock.advance(5_000);
  scheduler.stop();
  expect(fired).toBeGreaterThanOrEqual(4);
});
