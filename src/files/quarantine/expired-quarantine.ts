import type { QuarantineRecord } from './quarantine-records.ts';

/** What a policy of bounds makes of a quarantine. Pure. */

export interface QuarantineBounds {
  /** Null: any number. */
  readonly maxCount: number | null;
  /** Null: of any age. */
  readonly maxAgeMs: number | null;
  readonly minFreeBytes: number;
}

export interface QuarantineFacts {
  readonly nowMs: number;
  /** On the file system of the quarantine. */
  readonly freeBytes: number;
  /** Ids that no bound may touch. */
  readonly keep: ReadonlySet<string>;
}

/** Whatever is younger may belong to work that is still under way. */
const AGE_MS_MIN = 3_600_000;

/** Ids that the bounds do not let stay, oldest first: no more than it takes to be within them. */
export function expiredQuarantine(
  records: readonly Pick<QuarantineRecord, 'id' | 'at' | 'bytes'>[],
  { maxCount, maxAgeMs, minFreeBytes }: QuarantineBounds,
  { nowMs, freeBytes, keep }: QuarantineFacts,
): string[] {
  const oldestFirst = [...records].sort((left, right) => (left.at < right.at ? -1 : 1));
  const expired: string[] = [];
  let count = records.length;
  let free = freeBytes;
  for (const { id, at, bytes } of oldestFirst) {
    const ageMs = nowMs - Date.parse(at);
    const tooMany = maxCount !== null && count > maxCount;
    const tooOld = maxAgeMs !== null && ageMs > maxAgeMs;
    if (!tooMany && !tooOld && free >= minFreeBytes) continue;
    if (keep.has(id) || ageMs < AGE_MS_MIN) continue;
    expired.push(id);
    count -= 1;
    free += bytes;
  }
  return expired;
}
