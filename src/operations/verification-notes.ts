import type { Settings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import type { Notes, VerificationNote } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import { openRepositoryWriter } from './repository-access.ts';

/** Proofs that a snapshot restores, as its notes keep them. */

/** Verifications kept in a snapshot's notes; older ones go. */
const VERIFICATIONS_KEPT_MAX = 10;
const FINDINGS_KEPT_MAX = 20;

export interface Verified extends Omit<VerificationNote, 'at'> {
  readonly snapshotId: string;
}

/** Writes the outcome into each snapshot's notes. A backup may be running, for as long as it may run: it is waited for. */
export async function recordVerifications(
  verified: readonly Verified[],
  settings: Settings,
  clock: Clock,
  activity: Activity,
): Promise<void> {
  const { jobDeadlineMs } = settings.worker;
  const purpose = 'verification notes';
  const writer = await openRepositoryWriter(settings, clock, activity, purpose, jobDeadlineMs);
  try {
    const at = isoTime(clock.nowMs());
    for (const { snapshotId, findings, ...outcome } of verified) {
      const note = { at, ...outcome, findings: findings.slice(0, FINDINGS_KEPT_MAX) };
      const notes = await writer.reader.readNotes(snapshotId);
      const verifications = [...notes.verifications, note].slice(-VERIFICATIONS_KEPT_MAX);
      await writer.writeNotes(snapshotId, { ...notes, verifications });
    }
  } finally {
    await writer.close();
  }
}

/** Null where the notes are damaged. */
export async function readableNotes(reader: StoreReader, id: string): Promise<Notes | null> {
  try {
    return await reader.readNotes(id);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'REPO_CORRUPT') return null;
    throw error;
  }
}
