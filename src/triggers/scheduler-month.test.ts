import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ScheduleDefinition } from '../config/settings.ts';
import { silentLogger } from '../kernel/logger.ts';
import { ScheduleFires } from '../state/schedule-fires.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { keyOf } from './schedule-key.ts';
import { Scheduler } from './scheduler.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { cron, interval } from './testing/source-settings.ts';

/**
 * A month in which the daemon restarts, the host sleeps and the clock is set, around each change of summer time.
 * What is due is worked out here by asking the zone for every half hour, not by the code under test.
 */

const MINUTE_MS = 60_000;
const HALF_HOUR_MS = 30 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A tick is asked for within this of its time while the daemon runs, and of its return while it did not. */
const SLACK_MS = 31_000;

/** Lives led for each month; a failing one prints its seed and path. */
const RUNS = Number(process.env['HOLDFAST_TEST_LIVES'] ?? 8);

const MONTHS = [
  ['Europe/Paris', '2026-03-14T00:00:00.000Z'],
  ['Europe/Paris', '2026-10-11T00:00:00.000Z'],
  ['America/New_York', '2026-02-22T00:00:00.000Z'],
  ['America/New_York', '2026-10-18T00:00:00.000Z'],
] as const;

type Step =
  | { readonly kind: 'run'; readonly ms: number }
  | { readonly kind: 'restart' | 'sleep' | 'forward'; readonly ms: number }
  | { readonly kind: 'back'; readonly ms: number };

const minutes = (max: number) => fc.integer({ min: 1, max }).map((each) => each * MINUTE_MS);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: minutes(18 * 60).map((ms): Step => ({ kind: 'run', ms })) },
  { weight: 3, arbitrary: minutes(30 * 60).map((ms): Step => ({ kind: 'restart', ms })) },
  { weight: 2, arbitrary: minutes(60 * 60).map((ms): Step => ({ kind: 'sleep', ms })) },
  { weight: 1, arbitrary: minutes(6 * 60).map((ms): Step => ({ kind: 'forward', ms })) },
  { weight: 1, arbitrary: minutes(30 * 60).map((ms): Step => ({ kind: 'back', ms })) },
);

interface Fire {
  readonly id: string;
  readonly dueAt: number;
  readonly atMs: number;
  /** Stretches of time that were over by then. */
  readonly after: number;
}

/** A stretch of wall time and whether somebody was there to see its ticks at their times. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly watched: boolean;
}

let directory: string;
let state: StateDatabase;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-month-'));
  state = await openState(join(directory, 'state.db'), { clock: new FakeClock(0) });
  // What is shown here does not depend on power cuts.
  state.connection.pragma('synchronous = OFF');
});

afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

/** Lives through the steps; gives what was asked for, and how wall time went by. */
function live(schedules: readonly ScheduleDefinition[], startMs: number, steps: readonly Step[]) {
  state.connection.exec('DELETE FROM schedules; DELETE FROM scheduleFires');
  const clock = new FakeClock(startMs);
  const fires: Fire[] = [];
  const stretches: Stretch[] = [];
  const start = (): Scheduler => {
    const scheduler = new Scheduler({
      store: new ScheduleRecords(state),
      fires: new ScheduleFires(state),
      clock,
      logger: silentLogger,
      submit: ({ tick, alongside }) =>
        state.transaction(() => {
          const id = `job-${fires.length + 1}`;
          alongside(id);
          const after = stretches.length;
          fires.push({ id: tick.scheduleId, dueAt: tick.dueAtMs, atMs: clock.nowMs(), after });
          return { id };
        }),
      isUnderWay: () => false,
    });
    scheduler.apply(schedules, schedules.map(keyOf));
    return scheduler;
  };
  const passes = (watched: boolean, pass: () => void): void => {
    const fromMs = clock.nowMs();
    pass();
    stretches.push({ fromMs, toMs: clock.nowMs(), watched });
  };
  const jump = (ms: number): void => clock.setWall(clock.nowMs() + ms);
  let scheduler = start();
  for (const { kind, ms } of steps) {
    if (kind === 'run') {
      passes(true, () => clock.run(ms));
      continue;
    }
    // Until the absence, or the jump, was noticed, it belongs to it.
    passes(false, () => {
      if (kind === 'restart') scheduler.stop();
      jump(kind === 'back' ? -ms : ms);
      if (kind === 'restart') scheduler = start();
      clock.run(SLACK_MS);
    });
  }
  scheduler.stop();
  return { fires, stretches };
}

/** Every instant of the time between at which the zone shows one of these times; the same time twice a day only once. */
function ticksOf(zone: string, times: readonly string[], fromMs: number, toMs: number): number[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const seen = new Set<string>();
  const ticks: number[] = [];
  const shows = (atMs: number): [day: string, time: string] =>
    format.format(atMs).split(', ') as [string, string];
  let before = shows(Math.ceil(fromMs / HALF_HOUR_MS) * HALF_HOUR_MS - HALF_HOUR_MS);
  const firstMs = Math.ceil(fromMs / HALF_HOUR_MS) * HALF_HOUR_MS;
  for (let atMs = firstMs; atMs <= toMs; atMs += HALF_HOUR_MS) {
    const [day, time] = shows(atMs);
    // Where the clocks leap over a time, it is due as much after the leap as it would have been.
    const hour = (text: string): number => Number(text.slice(0, 2)) + Number(text.slice(3)) / 60;
    const leaps = day === before[0] && hour(time) - hour(before[1]) > 1;
    for (const wanted of times) {
      const isShown = time === wanted;
      const isLeapt = leaps && hour(wanted) > hour(before[1]) && hour(wanted) < hour(time);
      if ((!isShown && !isLeapt) || seen.has(`${day} ${wanted}`)) continue;
      seen.add(`${day} ${wanted}`);
      ticks.push(isShown ? atMs : atMs + (hour(wanted) - hour(before[1]) - 0.5) * HOUR_MS);
    }
    before = [day, time];
  }
  return ticks;
}

/** The highest wall time seen so far: only what lies beyond it is new. */
function newTime(stretches: readonly Stretch[]): Stretch[] {
  let highMs = Number.NEGATIVE_INFINITY;
  return stretches.flatMap(({ fromMs, toMs, watched }) => {
    const start = Math.max(fromMs, highMs);
    highMs = Math.max(highMs, toMs);
    return toMs > start ? [{ fromMs: start, toMs, watched }] : [];
  });
}

/** No tick is a job twice, unless the clock went back more than two days behind it in between. */
function checkNothingTwice(fires: readonly Fire[], stretches: readonly Stretch[]): void {
  const first = new Map<string, Fire>();
  const twice: string[] = [];
  for (const fire of fires) {
    const key = `${fire.id} ${new Date(fire.dueAt).toISOString()}`;
    const before = first.get(key);
    first.set(key, fire);
    if (before === undefined) continue;
    const between = stretches.slice(before.after, fire.after + 1);
    const lowMs = Math.min(...between.flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
    if (lowMs >= fire.dueAt - 2 * DAY_MS) twice.push(key);
  }
  expect(twice).toEqual([]);
}

describe.each(MONTHS)('a month in %s from %s', (zone, start) => {
  const startMs = Date.parse(start);
  const nightly = cron('30 2 * * *', zone, { id: 'nightly' });
  const twice = cron('0 6,18 * * *', zone, { id: 'twice' });
  const steps = fc.array(step, { minLength: 10, maxLength: 60 }).chain((each) =>
    fc.constantFrom(
      each,
      each.filter(({ kind }) => kind !== 'back'),
    ),
  );

  it('F42, M-D3, F-D8: of a cron schedule no tick is lost and none is a job twice', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { fires, stretches } = live([nightly, twice], startMs, taken);
        checkNothingTwice(fires, stretches);
        const lastMs = Math.max(...stretches.map(({ toMs }) => toMs));
        for (const [id, times] of [
          ['nightly', ['02:30']],
          ['twice', ['06:00', '18:00']],
        ] as const) {
          const own = fires.filter((fire) => fire.id === id);
          const ticks = ticksOf(zone, times, startMs - 3 * DAY_MS, lastMs + DAY_MS);
          // Only what is due is asked for, and never before its time.
          expect(ticks).toEqual(expect.arrayContaining(own.map(({ dueAt }) => dueAt)));
          for (const { dueAt, atMs } of own) expect(atMs).toBeGreaterThanOrEqual(dueAt);
          for (const { fromMs, toMs, watched } of newTime(stretches)) {
            const due = ticks.filter((tick) => tick > fromMs && tick <= toMs);
            const asked = own.filter(({ dueAt }) => due.includes(dueAt));
            if (watched) expect([...new Set(asked.map(({ dueAt }) => dueAt))]).toEqual(due);
            // However many were missed: one makes up for them. Where the clock was set back before, that one may
            // stand for an earlier tick, and those left out then may still have their time.
            else if (taken.some(({ kind }) => kind === 'back')) {
              const isBack = ({ atMs }: Fire): boolean => atMs >= toMs - SLACK_MS && atMs <= toMs;
              expect(due.length === 0 || own.some(isBack)).toBe(true);
            } else {
              const inTime = due.filter((tick) => tick > toMs - SLACK_MS).length;
              expect(asked.length).toBeGreaterThanOrEqual(Math.min(due.length, 1));
              expect(asked.length).toBeLessThanOrEqual(
                Math.max(1, inTime + Math.min(due.length - inTime, 1)),
              );
            }
          }
        }
      }),
      { numRuns: RUNS },
    );
  }, 60_000);

  it('(53) of an interval no time goes by without a run for longer than the interval and the absence', () => {
    const every = interval(5 * HOUR_MS, { id: 'every' });
    fc.assert(
      fc.property(
        steps.map((each) => each.filter(({ kind }) => kind !== 'back' && kind !== 'forward')),
        (taken) => {
          const { fires, stretches } = live([every], startMs, taken);
          checkNothingTwice(fires, stretches);
          const absent = stretches.filter(({ watched }) => !watched);
          let previousMs = startMs;
          for (const { dueAt, atMs } of fires) {
            // The tick is one interval after the last, whatever restarts there were between.
            expect((dueAt - startMs) % (5 * HOUR_MS)).toBe(0);
            const back = absent.find(({ fromMs, toMs }) => dueAt > fromMs && dueAt <= toMs);
            expect(atMs - Math.max(dueAt, back?.toMs ?? dueAt)).toBeLessThanOrEqual(SLACK_MS);
            expect(dueAt).toBeGreaterThan(previousMs);
            previousMs = atMs;
          }
          const lastMs = stretches.at(-1)?.toMs ?? startMs;
          expect(lastMs - previousMs).toBeLessThanOrEqual(5 * HOUR_MS + SLACK_MS);
        },
      ),
      { numRuns: RUNS },
    );
  }, 60_000);

  it('a month without trouble has every tick once', () => {
    const { fires } = live([nightly, twice], startMs, [{ kind: 'run', ms: 31 * DAY_MS }]);
    const due = ticksOf(zone, ['02:30'], startMs + 1, startMs + 31 * DAY_MS);
    expect(fires.filter(({ id }) => id === 'nightly').map(({ dueAt }) => dueAt)).toEqual(due);
    expect(due.length).toBeGreaterThanOrEqual(30);
    expect(fires.filter(({ id }) => id === 'twice')).toHaveLength(62);
  });
});
