import type { Activity } from '../../kernel/activity.ts';
import { copyFamilyAside } from '../family-copies.ts';
import { countDifferingPages } from '../heal/differing-pages.ts';
import { unwrittenSnapshots } from '../heal/fence.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';
import type { SnapshotImages } from '../snapshot-images.ts';
import type { Attempt, Candidate } from './candidate.ts';
import { settle } from './settle.ts';

/**
 * Nothing was written since a snapshot, so that every page that differs from it is rot, also where no check sees it:
 * all of them are put back. The result is, byte for byte, what the application last wrote.
 */
export const undoRot: Candidate = {
  name: 'undo-rot',
  invasiveness: 0,
  applicable: ({ hasSnapshot }) => hasSnapshot,
  async *attempts({ images, pristine, found, activity }) {
    if (images === null) return;
    for (const snapshot of await unwrittenSnapshots(pristine, found, images.soundOnes())) {
      yield attempt(images, snapshot, pristine, activity);
    }
  },
};

function attempt(
  images: SnapshotImages,
  snapshot: DatabaseSnapshot,
  pristine: string,
  activity: Activity,
): Attempt {
  return {
    label: `nothing was written since snapshot of ${snapshot.capturedAt}`,
    snapshot,
    async build(directory) {
      const image = await images.image(snapshot, activity);
      const { journalMode } = snapshot.database;
      const differing = countDifferingPages(pristine, image, snapshot.database, activity);
      const path = await copyFamilyAside(image, directory, [], activity);
      settle(path, journalMode);
      const detail = `${differing} rotten pages put back`;
      return { path, doubtfulRows: 0, exact: true, detail };
    },
  };
}
