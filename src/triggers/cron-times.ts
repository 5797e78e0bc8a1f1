import nodeCron from 'node-cron';
import { DAY_MS, instantsOf, wallTimeMs, type ZoneDay, zoneDay } from './zone-day.ts';

/**
 * When a cron expression is due next, as node-cron reads it. node-cron answers for the present moment alone, so its
 * own parser and matcher are asked which days and times are meant, and the instants are computed here, from any
 * moment and across clock changes.
 */

/** Some 40 years: both day fields must match, so `29 2 1` (a Monday, 29 February) may be this far away. */
const DAYS_MAX = 366 * 40;
const HOURS_A_DAY = 24;

export interface CronPlan {
  /** Wall times within a day, ms after midnight, ascending. */
  readonly timesMs: readonly number[];
  /** True if every hour is meant: then an hour that comes twice is meant twice. */
  readonly isHourly: boolean;
  /** Whether a local day, given as its midnight as if it were UTC, is meant. */
  matchesDay(dayMs: number): boolean;
}

/** @throws Error if the expression is not valid; settings were checked before */
export function planCron(expression: string): CronPlan {
  const fields = nodeCron.parse(expression);
  const days = [fields.dayOfMonth, fields.month, fields.dayOfWeek]
    .map((values) => values.join(','))
    .join(' ');
  const matcher = nodeCron.createTask(`0 0 0 ${days}`, () => {}, { timezone: 'UTC' });
  // node-cron keeps a registry of all tasks; matching works without being in it.
  void matcher.destroy();
  const months = new Set(fields.month);
  const timesMs = fields.hour.flatMap((hour) =>
    fields.minute.flatMap((minute) =>
      fields.second.map((second) => ((hour * 60 + minute) * 60 + second) * 1000),
    ),
  );
  return {
    timesMs: timesMs.sort((left, right) => left - right),
    isHourly: new Set(fields.hour).size === HOURS_A_DAY,
    matchesDay: (dayMs) => {
      const day = new Date(dayMs);
      return months.has(day.getUTCMonth() + 1) && matcher.match(day);
    },
  };
}

/** The first instant after `afterMs` at which the plan is due, epoch ms; null if there is none within 40 years. */
export function nextCronTime(plan: CronPlan, timeZone: string, afterMs: number): number | null {
  const wallMs = wallTimeMs(timeZone, afterMs);
  // From the day before: a time that a clock change left out is due later than the clocks then show.
  const firstDayMs = Math.floor(wallMs / DAY_MS) * DAY_MS - DAY_MS;
  for (let days = 0; days < DAYS_MAX; days += 1) {
    const dayMs = firstDayMs + days * DAY_MS;
    if (!plan.matchesDay(dayMs)) continue;
    const due = firstWithin(plan, dayMs, zoneDay(timeZone, dayMs), afterMs);
    if (due !== null) return due;
  }
  return null;
}

function firstWithin(plan: CronPlan, dayMs: number, day: ZoneDay, afterMs: number): number | null {
  let first: number | null = null;
  for (const timeMs of plan.timesMs) {
    const instants = instantsOf(day, dayMs + timeMs);
    for (const instant of plan.isHourly ? instants : instants.slice(0, 1)) {
      if (instant > afterMs && (first === null || instant < first)) first = instant;
    }
    // Without a clock change later times are later instants.
    if (first !== null && day.changeAtMs === null) break;
  }
  return first;
}
