import type { Activity } from '../../kernel/activity.ts';
import type { JournalMode } from '../../sqlite/header.ts';
import { copyFamilyAside } from '../family-copies.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';
import type { SnapshotImages } from '../snapshot-images.ts';
import type { Attempt, Candidate } from './candidate.ts';
import { rebuildDerived } from './rebuild-derived.ts';
import { settle } from './settle.ts';

const SNAPSHOTS_TRIED_MAX = 20;

/** The newest snapshot of this one database whose every chunk is whole and which passes the gates. */
export const rollBack: Candidate = {
  name: 'roll-back',
  invasiveness: 4,
  applicable: ({ hasSnapshot }) => hasSnapshot,
  async *attempts({ images, journalMode, activity }) {
    if (images === null) return;
    let tried = 0;
    for await (const snapshot of images.soundOnes()) {
      for (const rebuilt of [false, true]) {
        yield attempt(images, snapshot, rebuilt, journalMode, activity);
      }
      if ((tried += 1) >= SNAPSHOTS_TRIED_MAX) return;
    }
  },
};

/** A quick check at capture does not compare indexes with their tables: the second way rebuilds them. */
function attempt(
  images: SnapshotImages,
  snapshot: DatabaseSnapshot,
  rebuilt: boolean,
  journalMode: JournalMode,
  activity: Activity,
): Attempt {
  return {
    label: `snapshot of ${snapshot.capturedAt}${rebuilt ? ', indexes rebuilt' : ''}`,
    snapshot,
    async build(directory) {
      const image = await images.image(snapshot, activity);
      const copy = await copyFamilyAside(image, directory, [], activity);
      let doubtfulRows = 0;
      if (rebuilt) {
        settle(copy, 'rollback');
        doubtfulRows = await rebuildDerived(copy, activity);
      }
      settle(copy, journalMode);
      return { path: copy, doubtfulRows };
    },
  };
}
