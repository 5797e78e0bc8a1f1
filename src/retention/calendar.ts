/** Where hours, days, weeks, months and years begin in a time zone. */

export const BUCKET_KINDS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type BucketKind = (typeof BUCKET_KINDS)[number];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** An instant as the clocks of the zone show it. */
export interface LocalTime {
  /** What the clocks show, as if it were UTC. */
  readonly wallMs: number;
  /** What was added to UTC for it. */
  readonly offsetMs: number;
}

/** Answers what the clocks of the zone show. UTC needs no look into the zone's history. */
export function localClock(timeZone: string): (atMs: number) => LocalTime {
  if (timeZone === 'UTC') return (atMs) => ({ wallMs: atMs, offsetMs: 0 });
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (atMs) => {
    const [month, day, year, hour, minute, second] = formatter
      .format(atMs)
      .split(/\D+/)
      .map(Number) as [number, number, number, number, number, number];
    const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
    const offsetMs = wallMs - Math.floor(atMs / 1000) * 1000;
    return { wallMs: atMs + offsetMs, offsetMs };
  };
}

/** Equal for two instants of the same hour, day and so on, and for no others. */
export function bucketOf(kind: BucketKind, { wallMs, offsetMs }: LocalTime): string | number {
  const day = Math.floor(wallMs / DAY_MS);
  switch (kind) {
    case 'hourly':
      // The hour that comes twice when clocks are set back is two.
      return `${Math.floor(wallMs / HOUR_MS)} ${offsetMs}`;
    case 'daily':
      return day;
    case 'weekly':
      // 1 January 1970 was a Thursday: its week began three days before.
      return Math.floor((day + 3) / 7);
    case 'monthly':
    case 'yearly': {
      const date = new Date(wallMs);
      const year = date.getUTCFullYear();
      return kind === 'yearly' ? year : year * 12 + date.getUTCMonth();
    }
  }
}

/** The hour, day and so on as people write it: `2026-W53`, `2026-02`. */
export function bucketLabel(kind: BucketKind, { wallMs }: LocalTime): string {
  const iso = new Date(wallMs).toISOString();
  switch (kind) {
    case 'hourly':
      return iso.slice(0, 13);
    case 'daily':
      return iso.slice(0, 10);
    case 'weekly':
      return isoWeekLabel(wallMs);
    case 'monthly':
      return iso.slice(0, 7);
    case 'yearly':
      return iso.slice(0, 4);
  }
}

/** A week belongs to the year that has its Thursday. */
function isoWeekLabel(wallMs: number): string {
  const day = Math.floor(wallMs / DAY_MS);
  const thursday = Math.floor((day + 3) / 7) * 7;
  const year = new Date(thursday * DAY_MS).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1) / DAY_MS) / 7) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
