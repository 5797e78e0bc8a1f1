/**
 * What a policy keeps, written a second time from the documentation alone: slow, plain, one rule after the other over
 * all snapshots. Nothing of src/retention is used.
 */

export interface ExpectedSnapshot {
  readonly id: string;
  readonly atMs: number;
  readonly origin: string;
  readonly good: boolean;
  pinned: boolean;
  /** What the newest drill or deep verification said; null: there was none. */
  proven: boolean | null;
}

export interface ExpectedPolicy {
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepWithinMs?: number;
  readonly maxAgeMs?: number;
  readonly pick?: 'oldest';
  readonly timeZone?: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIN_GOOD = 2;
const PRE_RESTORE = { keepLast: 5, maxAgeMs: 30 * DAY_MS };

const isWayBack = ({ origin }: ExpectedSnapshot): boolean => origin === 'pre-restore';

/** Ids that stay. */
export function expectedToStay(
  snapshots: readonly ExpectedSnapshot[],
  policy: ExpectedPolicy,
  nowMs: number,
  lastRestoreMs: number | null,
): Set<string> {
  const stay = new Set<string>();
  const keep = (some: readonly (ExpectedSnapshot | undefined)[]): void => {
    for (const each of some) if (each !== undefined) stay.add(each.id);
  };
  const newestFirst = [...snapshots].sort(
    (left, right) => right.atMs - left.atMs || (left.id < right.id ? -1 : 1),
  );
  keep(newestFirst.filter(({ pinned, atMs }) => pinned || atMs > nowMs));
  const past = newestFirst.filter(({ atMs }) => atMs <= nowMs);
  const regular = past.filter((each) => !isWayBack(each));
  const good = regular.filter((each) => each.good && each.proven !== false);
  keep(regular.slice(0, 1));
  keep(good.slice(0, MIN_GOOD));
  keep([good.find(({ proven }) => proven === true)]);
  keep([good.find(({ atMs }) => nowMs - atMs >= DAY_MS)]);
  const waysBack = past.filter(isWayBack);
  const lastMs = Math.max(waysBack[0]?.atMs ?? -Infinity, lastRestoreMs ?? -Infinity);
  if (nowMs - lastMs < DAY_MS) keep(waysBack.slice(0, 1));

  // Each origin, and the good and the bad of it, is counted by itself; the pinned are not counted.
  const counted = past.filter(({ pinned }) => !pinned);
  const groupOf = (each: ExpectedSnapshot): string =>
    isWayBack(each) ? 'way back' : `${each.origin} ${each.good && each.proven !== false}`;
  for (const group of new Set(counted.map(groupOf))) {
    const own = counted.filter((each) => groupOf(each) === group);
    keep(keptByRules(own, group === 'way back' ? PRE_RESTORE : policy, nowMs));
  }
  return stay;
}

function keptByRules(
  own: readonly ExpectedSnapshot[],
  policy: ExpectedPolicy,
  nowMs: number,
): ExpectedSnapshot[] {
  const { keepLast = 0, keepWithinMs, maxAgeMs, timeZone = 'UTC' } = policy;
  const kept = [...own.slice(0, keepLast)];
  const since = (ms: number) => own.filter(({ atMs }) => atMs >= ms);
  if (keepWithinMs !== undefined) kept.push(...since(own[0]!.atMs - keepWithinMs));
  if (maxAgeMs !== undefined) kept.push(...since(nowMs - maxAgeMs));
  const calendar: [number | undefined, (atMs: number) => string][] = [
    [
      policy.keepHourly,
      (atMs) => `${localText(atMs, timeZone).slice(0, 13)} ${offsetOf(atMs, timeZone)}`,
    ],
    [policy.keepDaily, (atMs) => localText(atMs, timeZone).slice(0, 10)],
    [policy.keepWeekly, (atMs) => mondayOf(localText(atMs, timeZone).slice(0, 10))],
    [policy.keepMonthly, (atMs) => localText(atMs, timeZone).slice(0, 7)],
  ];
  for (const [count, nameOf] of calendar) {
    if (count === undefined || count === 0) continue;
    const names = [...new Set(own.map(({ atMs }) => nameOf(atMs)))];
    const chosen = count === -1 ? names : names.slice(0, count);
    for (const name of chosen) {
      const those = own.filter(({ atMs }) => nameOf(atMs) === name);
      kept.push(policy.pick === 'oldest' ? those.at(-1)! : those[0]!);
    }
    // While there are fewer than may stay, the very first one does.
    if (count === -1 || names.length < count) kept.push(own.at(-1)!);
  }
  return kept;
}

/** `2030-03-31 03:00:00`, as the clocks of the zone show it. */
export function localText(atMs: number, timeZone: string): string {
  return new Date(atMs).toLocaleString('sv-SE', { timeZone });
}

function offsetOf(atMs: number, timeZone: string): number {
  return (
    Date.parse(`${localText(atMs, timeZone).replace(' ', 'T')}Z`) - Math.floor(atMs / 1000) * 1000
  );
}

function mondayOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}
