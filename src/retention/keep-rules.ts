import type { KeepRules } from '../config/retention-settings.ts';
import { type BucketKind, bucketLabel, bucketOf, type LocalTime } from './calendar.ts';
import type { RetentionCandidate } from './candidate.ts';

/** The rules, applied to snapshots that are counted together. */

export type Keep = (candidate: RetentionCandidate, reason: string) => void;

export interface LaneSettings {
  readonly rules: KeepRules;
  readonly pick: 'newest' | 'oldest';
  readonly nowMs: number;
  readonly localTime: (candidate: RetentionCandidate) => LocalTime;
}

const ALL = -1;
const isOn = (count: number | null): count is number => count !== null && count !== 0;

/** @param lane newest first, not empty, none of it in the future */
export function applyRules(
  lane: readonly RetentionCandidate[],
  settings: LaneSettings,
  keep: Keep,
): void {
  const { rules, nowMs } = settings;
  if (isOn(rules.keepLast)) {
    const count = rules.keepLast === ALL ? lane.length : rules.keepLast;
    for (const candidate of lane.slice(0, count)) keep(candidate, 'last');
  }
  keepBuckets(lane, 'hourly', rules.keepHourly, settings, keep);
  keepBuckets(lane, 'daily', rules.keepDaily, settings, keep);
  keepBuckets(lane, 'weekly', rules.keepWeekly, settings, keep);
  keepBuckets(lane, 'monthly', rules.keepMonthly, settings, keep);
  keepBuckets(lane, 'yearly', rules.keepYearly, settings, keep);
  if (rules.keepWithinMs !== null) {
    keepSince(lane, lane[0]!.capturedAtMs - rules.keepWithinMs, 'within', keep);
  }
  if (rules.maxAgeMs !== null) keepSince(lane, nowMs - rules.maxAgeMs, 'age', keep);
}

function keepSince(
  lane: readonly RetentionCandidate[],
  sinceMs: number,
  reason: string,
  keep: Keep,
): void {
  for (const candidate of lane) {
    if (candidate.capturedAtMs < sinceMs) return;
    keep(candidate, reason);
  }
}

/** One of each of the newest `count` buckets that have a snapshot; empty ones do not count. */
function keepBuckets(
  lane: readonly RetentionCandidate[],
  kind: BucketKind,
  count: number | null,
  { pick, localTime }: LaneSettings,
  keep: Keep,
): void {
  if (!isOn(count)) return;
  const limit = count === ALL ? Number.POSITIVE_INFINITY : count;
  const chosen = new Map<string | number, RetentionCandidate>();
  for (const candidate of lane) {
    const bucket = bucketOf(kind, localTime(candidate));
    const isKnown = chosen.has(bucket);
    if (isKnown ? pick === 'oldest' : chosen.size < limit) chosen.set(bucket, candidate);
  }
  for (const candidate of chosen.values()) {
    keep(candidate, `${kind} ${bucketLabel(kind, localTime(candidate))}`);
  }
  // While there are fewer buckets than may stay, the reach back to the very first is not given up.
  if (chosen.size < limit) keep(lane.at(-1)!, `oldest ${kind}`);
}
