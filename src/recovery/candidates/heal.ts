import { copyFamilyAside } from '../family-copies.ts';
import { type Healed, healDatabase } from '../heal/heal-database.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';
import type { SnapshotImages } from '../snapshot-images.ts';
import type { Attempt, Candidate, CandidateContext } from './candidate.ts';
import { rebuildDerived } from './rebuild-derived.ts';
import { settle } from './settle.ts';

/** Older ones have ever less in common with the damaged file. */
const SNAPSHOTS_TRIED_MAX = 3;

/**
 * Damaged pages of tables are taken from a snapshot, where they are still the same pages of the same tables; what can
 * be derived is rebuilt. Rows on such a page are those of the snapshot.
 */
export const heal: Candidate = {
  name: 'heal',
  invasiveness: 2,
  applicable: ({ hasSnapshot }) => hasSnapshot,
  async *attempts(context) {
    const { images } = context;
    if (images === null) return;
    let tried = 0;
    for await (const snapshot of images.soundOnes()) {
      yield attempt(images, snapshot, context);
      if ((tried += 1) >= SNAPSHOTS_TRIED_MAX) return;
    }
  },
};

function attempt(
  images: SnapshotImages,
  snapshot: DatabaseSnapshot,
  { pristine, journalMode, activity }: CandidateContext,
): Attempt {
  return {
    label: `damaged pages from snapshot of ${snapshot.capturedAt}`,
    snapshot,
    async build(directory) {
      const image = await images.image(snapshot, activity);
      const sidecars = ['-wal', '-journal'] as const;
      const copy = await copyFamilyAside(pristine, directory, sidecars, activity);
      const healed = await healDatabase({ copy, image, known: snapshot.database }, activity);
      settle(copy, 'rollback');
      const derivedRows = await rebuildDerived(copy, activity);
      settle(copy, journalMode);
      // The same rows may show in both ways.
      const doubtfulRows = Math.max(healed.doubtfulRows, derivedRows);
      return { path: copy, doubtfulRows, detail: describe(healed) };
    },
  };
}

/** Rows that came with the pages are as old as the snapshot, and may be stale. */
function describe({ spliced }: Healed): string {
  const pages = [...spliced.pages].map(([table, count]) => `${table} ${count}`);
  if (pages.length === 0) return 'none needed';
  return `${pages.join(', ')} pages with ${spliced.rows} rows as of then`;
}
