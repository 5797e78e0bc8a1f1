/** A snapshot as the policy sees it. */
export interface RetentionCandidate {
  readonly id: string;
  readonly capturedAtMs: number;
  readonly origin: string;
  /** It holds a part of the source alone. */
  readonly type: 'full' | 'config' | 'data';
  /** Recovery may use it: every database passed its check, and no later look at the snapshot failed. */
  readonly good: boolean;
  /** It passed a drill or a deep verification, and was not found wanting since. */
  readonly proven: boolean;
  readonly pinned: boolean;
}

/** What the policy cannot see in the snapshots. */
export interface RetentionGuards {
  /** Ids that a staged restore or a reader holds. */
  readonly inUse: ReadonlySet<string>;
  /** The newest restore in place, whether or not it left a snapshot; null: none is known. */
  readonly lastRestoreAtMs: number | null;
}

export const NO_GUARDS: RetentionGuards = { inUse: new Set(), lastRestoreAtMs: null };

/** A snapshot and why it stays, or goes. */
export interface RetentionVerdict {
  readonly id: string;
  readonly reasons: readonly string[];
}

export interface RetentionPlan {
  /** Newest first. */
  readonly keep: readonly RetentionVerdict[];
  /** Oldest first: whatever interrupts the removal, the newer ones are still there. */
  readonly remove: readonly RetentionVerdict[];
}

/** Newest first, equal times by id, whatever order they come in. */
export function newestFirst(left: RetentionCandidate, right: RetentionCandidate): number {
  if (left.capturedAtMs !== right.capturedAtMs) return right.capturedAtMs - left.capturedAtMs;
  return left.id < right.id ? -1 : 1;
}

/** Taken of what was about to be replaced, not of the source as it should be. */
export const isCheckpointOrigin = (origin: string): boolean =>
  origin === 'pre-restore' || origin === 'pre-migrate';

/** Taken of the source as it stood. What came from an archive proves nothing of it, and guards nothing. */
export const isRegularOrigin = (origin: string): boolean =>
  origin !== 'import' && !isCheckpointOrigin(origin);
