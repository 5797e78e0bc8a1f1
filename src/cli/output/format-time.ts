import { isoTime } from '../../kernel/clock.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `850 ms`, `4.2 s`, `3 min 20 s`, `5 h 3 min`, `12 d 4 h`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < SECOND_MS) return `${ms} ms`;
  if (ms < MINUTE_MS) {
    // Cut, not rounded: 59.97 s is not a minute yet.
    const tenths = Math.floor(ms / 100) / 10;
    return `${tenths < 10 ? tenths.toFixed(1) : Math.floor(tenths)} s`;
  }
  const pairs: [number, string, number, string][] = [
    [DAY_MS, 'd', HOUR_MS, 'h'],
    [HOUR_MS, 'h', MINUTE_MS, 'min'],
    [MINUTE_MS, 'min', SECOND_MS, 's'],
  ];
  const [big, bigUnit, small, smallUnit] = pairs.find(([unit]) => ms >= unit)!;
  const whole = Math.floor(ms / big);
  const rest = Math.floor((ms % big) / small);
  return rest === 0 ? `${whole} ${bigUnit}` : `${whole} ${bigUnit} ${rest} ${smallUnit}`;
}

/** `5 min 2 s ago`, `in 3 h`, or `never` for null. */
export function formatAge(time: string | null, nowMs: number): string {
  if (time === null) return 'never';
  const ageMs = nowMs - Date.parse(time);
  if (Number.isNaN(ageMs)) return time;
  return ageMs < 0 ? `in ${formatDuration(-ageMs)}` : `${formatDuration(ageMs)} ago`;
}

/** `2026-03-04 05:06:07Z`: to the second, in UTC, like every time of ours. */
export function formatTime(time: string | null): string {
  if (time === null) return '-';
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : `${isoTime(ms).slice(0, 19).replace('T', ' ')}Z`;
}
