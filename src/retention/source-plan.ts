import type { RetentionSettings } from '../config/retention-settings.ts';
import type { Settings } from '../config/settings.ts';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import type { Clock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { layoutOf } from '../store/layout.ts';
import { listLeases } from '../store/leases/list-leases.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import type { RetentionCandidate, RetentionGuards, RetentionPlan } from './candidate.ts';
import { planRetention } from './plan-retention.ts';

/** The policy applied to what the repository has of one source: for a preview as for the removal itself. */

export interface SourcePlanRequest {
  /** Of this source alone, in any order. */
  readonly snapshots: readonly SnapshotSummary[];
  readonly policy: RetentionSettings;
  readonly guards: RetentionGuards;
  readonly nowMs: number;
}

export async function planSource(
  { snapshots, policy, guards, nowMs }: SourcePlanRequest,
  reader: Pick<StoreReader, 'readNotes'>,
): Promise<RetentionPlan> {
  const candidates = await candidatesOf(snapshots, reader);
  return planRetention(candidates, policy, nowMs, guards);
}

/** Snapshots as the policy sees them, in the same order. */
export async function candidatesOf(
  snapshots: readonly SnapshotSummary[],
  reader: Pick<StoreReader, 'readNotes'>,
): Promise<RetentionCandidate[]> {
  const candidates: RetentionCandidate[] = [];
  for (const snapshot of snapshots) {
    const { id, origin, type, pinned, resealed } = snapshot;
    const deepLook = await newestDeepLook(snapshot, reader);
    const isRefuted = snapshot.verifiedOk === false || deepLook === false;
    candidates.push({
      id,
      capturedAtMs: Date.parse(snapshot.capturedAt),
      origin,
      type,
      pinned,
      good: snapshot.good && !isRefuted && !resealed,
      proven: deepLook === true && !isRefuted,
    });
  }
  return candidates;
}

/**
 * What the newest drill or deep verification said; null: there was none, or it does not matter. Notes are read only
 * where the newest look of all, which the summary tells of, was a shallow one that held.
 */
async function newestDeepLook(
  { id, verifiedOk, verifiedLevel }: SnapshotSummary,
  reader: Pick<StoreReader, 'readNotes'>,
): Promise<boolean | null> {
  if (verifiedOk !== true) return null;
  if (verifiedLevel !== 'shallow') return true;
  const { verifications } = await reader.readNotes(id);
  return verifications.findLast(({ level }) => level !== 'shallow')?.ok ?? null;
}

/** What speaks for a snapshot beyond the snapshots themselves. */
export async function readGuards(
  settings: Pick<Settings, 'stateDirectory' | 'repositoryDirectory'>,
  sourceId: string,
  clock: Clock,
): Promise<RetentionGuards> {
  const { leases } = await listLeases(layoutOf(settings.repositoryDirectory), clock);
  const held = leases.filter(({ stale }) => !stale);
  return {
    inUse: new Set(held.map(({ snapshot }) => snapshot)),
    lastRestoreAtMs: await lastRestoreAtMs(settings.stateDirectory, sourceId, clock.nowMs()),
  };
}

/** The newest restore that replaced something of the source; now, where that cannot be told. */
async function lastRestoreAtMs(
  stateDirectory: string,
  sourceId: string,
  nowMs: number,
): Promise<number | null> {
  try {
    const records = await listQuarantine(stateDirectory);
    const times = records
      .filter((record) => record.reason === 'restore' && record.sourceId === sourceId)
      .map(({ at }) => Date.parse(at));
    return times.length === 0 ? null : Math.max(...times);
  } catch (error) {
    if (error instanceof HoldfastError) return nowMs;
    throw error;
  }
}
