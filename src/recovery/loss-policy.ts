import type { RecoverySettings } from '../config/settings.ts';
import type { ChosenCandidate } from './choose-candidate.ts';

/** What a repair may cost before a person has to agree to it. Pure. */

/** What of a source's settings decides it; null: a person agreed to whatever the best repair loses. */
export type LossPolicy = Pick<
  RecoverySettings,
  'allowPartial' | 'maxLossRows' | 'maxSnapshotAgeMs'
> | null;

export interface Loss {
  /** Rows known to be lost, those included that the damaged file may have held beyond what can be read. */
  readonly rows: number;
  /** False when a table of the damaged file could not be read to its end: there may have been more. */
  readonly exact: boolean;
}

export function lossOf({
  rows,
  score,
  exact,
}: Pick<ChosenCandidate, 'rows' | 'score' | 'exact'>): Loss {
  return {
    rows: score.notKept + score.missing,
    exact: exact || (rows?.every(({ readToEnd }) => readToEnd) ?? false),
  };
}

const atLeast = ({ rows, exact }: Loss): string => `${exact ? '' : 'at least '}${rows} rows`;

/** Why the best candidate may not be installed unasked, as half a sentence; null when it may. */
export function objectionTo(
  chosen: Pick<ChosenCandidate, 'rows' | 'score' | 'exact' | 'snapshot'>,
  /** Every candidate that passed is one that leaves out rows its origin seems to have held. */
  onlyDoubtful: boolean,
  policy: LossPolicy,
  nowMs: number,
): string | null {
  // What is proven to be what was there costs nothing, wherever its bytes come from.
  if (policy === null || chosen.exact) return null;
  const loss = lossOf(chosen);
  if (onlyDoubtful) return `only a partial repair is possible, which loses ${atLeast(loss)}`;
  const { allowPartial, maxLossRows, maxSnapshotAgeMs } = policy;
  if (!allowPartial && (loss.rows > 0 || !loss.exact)) {
    return `it loses ${atLeast(loss)}, and recovery.allowPartial is false`;
  }
  if (maxLossRows !== null && (loss.rows > maxLossRows || !loss.exact)) {
    return `it loses ${atLeast(loss)}, and recovery.maxLossRows is ${maxLossRows}`;
  }
  const ageMs = nowMs - Date.parse(chosen.snapshot?.capturedAt ?? '');
  if (maxSnapshotAgeMs !== null && ageMs > maxSnapshotAgeMs) {
    return `it rests on a snapshot of ${chosen.snapshot?.capturedAt}, and recovery.maxSnapshotAgeMs is ${maxSnapshotAgeMs}`;
  }
  return null;
}

const quoted = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

/** The command that installs the best repair all the same. */
export const acceptCommand = (database: string): string =>
  `holdfast recover --database ${quoted(database)} --accept-loss`;
