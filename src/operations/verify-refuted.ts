import { HoldfastError } from '../kernel/errors.ts';
import type { OperationContext } from './operation.ts';
import { withReader } from './repository-access.ts';
import { readableNotes, recordVerifications, type Verified } from './verification-notes.ts';
import { verifyOne } from './verify.ts';

/** More are left to `holdfast verify`. */
const VERIFIED_MAX = 50;

/**
 * Verifies every byte of those chosen snapshots of which the last word is that they are damaged, and notes which are
 * whole again. Returns their ids. What goes wrong here is a warning: the work that healed them is done.
 */
export async function verifyRefuted(
  context: OperationContext,
  isChosen: (id: string) => boolean,
): Promise<string[]> {
  const { settings, clock, activity } = context;
  try {
    const verified = await withReader(settings, async (reader) => {
      const whole: Verified[] = [];
      const refuted = reader.listSnapshots().filter(({ verifiedOk }) => verifiedOk === false);
      for (const { id } of refuted.filter((each) => isChosen(each.id)).slice(0, VERIFIED_MAX)) {
        activity.signal.throwIfAborted();
        const last = (await readableNotes(reader, id))?.verifications.at(-1);
        // What an assertion of a drill refuted is not healed by bytes.
        if (last === undefined || last.level === 'drill') continue;
        const result = await verifyOne(reader, id, context, true);
        if (result.ok) whole.push(result);
      }
      return whole;
    });
    if (verified.length > 0) await recordVerifications(verified, settings, clock, activity);
    return verified.map(({ snapshotId }) => snapshotId);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    activity.warn(`Snapshots that were damaged could not be verified again: ${error.message}`);
    return [];
  }
}
