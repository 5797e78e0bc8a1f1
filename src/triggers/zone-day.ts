/** How one local calendar day of a time zone lies on the time line: by arithmetic, with the zone asked a few times. */
export interface ZoneDay {
  /** What is added to UTC for local time, before and after `changeAtMs`. */
  readonly offsetBeforeMs: number;
  readonly offsetAfterMs: number;
  /** When the clocks change on this day, epoch ms; null if they do not. */
  readonly changeAtMs: number | null;
}

export const DAY_MS = 86_400_000;
/** Clock changes move by less than this, but for the rare day that a zone skipped altogether. */
const SLACK_MS = 3 * 3_600_000;
const FORMATTERS_MAX = 64;
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  if (formatters.size >= FORMATTERS_MAX) formatters.clear();
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(timeZone, formatter);
  return formatter;
}

/** What the clocks of the zone show at an instant, as if it were UTC; whole seconds. */
export function wallTimeMs(timeZone: string, atMs: number): number {
  const parts = formatterOf(timeZone).formatToParts(atMs);
  const number = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(
    number('year'),
    number('month') - 1,
    number('day'),
    number('hour'),
    number('minute'),
    number('second'),
  );
}

function offsetMs(timeZone: string, atMs: number): number {
  return wallTimeMs(timeZone, atMs) - Math.floor(atMs / 1000) * 1000;
}

/** @param dayMs midnight of the local day, as if it were UTC */
export function zoneDay(timeZone: string, dayMs: number): ZoneDay {
  const roughStartMs = dayMs - offsetMs(timeZone, dayMs);
  let beforeMs = roughStartMs - SLACK_MS;
  let afterMs = roughStartMs + DAY_MS + SLACK_MS;
  const offsetBeforeMs = offsetMs(timeZone, beforeMs);
  const offsetAfterMs = offsetMs(timeZone, afterMs);
  if (offsetBeforeMs === offsetAfterMs) return { offsetBeforeMs, offsetAfterMs, changeAtMs: null };
  // Zones change on whole seconds; halving some 30 hours down to one takes 17 rounds.
  while (afterMs - beforeMs > 1000) {
    const middleMs = Math.floor((beforeMs + afterMs) / 2000) * 1000;
    if (offsetMs(timeZone, middleMs) === offsetBeforeMs) beforeMs = middleMs;
    else afterMs = middleMs;
  }
  return { offsetBeforeMs, offsetAfterMs, changeAtMs: afterMs };
}

/**
 * The instants at which the clocks show `wallMs`: one; both where the hour comes twice; where the hour is left out,
 * the one as much after the change as the time would have been (02:30 is 03:30 then).
 */
export function instantsOf(day: ZoneDay, wallMs: number): readonly number[] {
  const earlyMs = wallMs - day.offsetBeforeMs;
  if (day.changeAtMs === null) return [earlyMs];
  const lateMs = wallMs - day.offsetAfterMs;
  const isEarly = earlyMs < day.changeAtMs;
  const isLate = lateMs >= day.changeAtMs;
  if (isEarly) return isLate ? [earlyMs, lateMs] : [earlyMs];
  return isLate ? [lateMs] : [earlyMs];
}
