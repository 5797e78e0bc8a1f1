import type { RetentionSettings } from '../config/retention-settings.ts';
import type { RetentionCandidate, RetentionGuards } from './candidate.ts';
import type { Keep } from './keep-rules.ts';

/** What stays under any policy. */

const DAY_MS = 86_400_000;

/** @param regular snapshots of the source proper, newest first, none in the future */
export function guardRegular(
  regular: readonly RetentionCandidate[],
  { minKeep, minGood }: Pick<RetentionSettings, 'minKeep' | 'minGood'>,
  nowMs: number,
  keep: Keep,
): void {
  for (const candidate of regular.slice(0, minKeep)) keep(candidate, 'newest');
  for (const type of ['full', 'data', 'config'] as const) {
    const good = regular.find((candidate) => candidate.type === type && candidate.good);
    if (good !== undefined) keep(good, 'newest good');
  }
  const proven = regular.find((candidate) => candidate.proven && candidate.good);
  if (proven !== undefined) keep(proven, 'last known good');
  const good = wholeOnes(regular).filter((candidate) => candidate.good);
  for (const candidate of good.slice(0, minGood)) keep(candidate, 'good floor');
  // A fault that no check sees is in all the snapshots of an hour: one of yesterday is another matter.
  const dayOld = good.find(({ capturedAtMs }) => nowMs - capturedAtMs >= DAY_MS);
  if (minGood > 1 && dayOld !== undefined) keep(dayOld, 'good and a day old');
}

/** Snapshots of all of the source; where there are none, those of a part of it have to do. */
function wholeOnes(regular: readonly RetentionCandidate[]): readonly RetentionCandidate[] {
  const whole = regular.filter(({ type }) => type === 'full');
  return whole.length > 0 ? whole : regular;
}

/** @param checkpoints newest first, none in the future */
export function guardCheckpoints(
  checkpoints: readonly RetentionCandidate[],
  { lastRestoreAtMs }: RetentionGuards,
  nowMs: number,
  keep: Keep,
): void {
  const [newest] = checkpoints;
  if (newest === undefined) return;
  const restoredAtMs = Math.max(newest.capturedAtMs, lastRestoreAtMs ?? Number.NEGATIVE_INFINITY);
  if (nowMs - restoredAtMs < DAY_MS) keep(newest, 'way back of a restore');
}
