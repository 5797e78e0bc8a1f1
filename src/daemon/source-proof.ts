import type { Notes, VerificationNote } from '../store/manifests/manifest.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';

/** How it is known that the snapshots of a source come back, from the notes of the snapshots. */
export interface SourceProof {
  readonly lastDrillAt: string | null;
  readonly lastDrillOk: boolean | null;
  /** The newest snapshot that passed a drill or a deep verification, and was not found wanting since. */
  readonly lastKnownGood: { readonly id: string; readonly at: string } | null;
}

export const NO_PROOF: SourceProof = { lastDrillAt: null, lastDrillOk: null, lastKnownGood: null };

/** Notes read for one source: the newest snapshots say it all, unless none of them was ever drilled. */
const NOTES_READ_MAX = 100;

const ofLevels = (
  { verifications }: Notes,
  levels: readonly VerificationNote['level'][],
): VerificationNote | undefined => verifications.findLast(({ level }) => levels.includes(level));

/** @param snapshots of one source, newest first. A drill takes the newest there is, so that newer ones were drilled later. */
export async function readProof(
  snapshots: readonly SnapshotSummary[],
  reader: Pick<StoreReader, 'readNotes'>,
): Promise<SourceProof> {
  let proof = NO_PROOF;
  const verified = snapshots.filter(({ verifiedAt }) => verifiedAt !== null);
  for (const { id, good, capturedAt, origin } of verified.slice(0, NOTES_READ_MAX)) {
    const notes = await reader.readNotes(id);
    const drill = ofLevels(notes, ['drill']);
    if (proof.lastDrillAt === null && drill !== undefined) {
      proof = { ...proof, lastDrillAt: drill.at, lastDrillOk: drill.ok };
    }
    const isProven = good && origin !== 'import' && ofLevels(notes, ['drill', 'deep'])?.ok === true;
    if (proof.lastKnownGood === null && isProven) {
      proof = { ...proof, lastKnownGood: { id, at: capturedAt } };
    }
    if (proof.lastDrillAt !== null && proof.lastKnownGood !== null) break;
  }
  return proof;
}
