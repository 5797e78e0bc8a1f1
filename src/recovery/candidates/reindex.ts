import { copyFamilyAside } from '../family-copies.ts';
import type { Candidate } from './candidate.ts';
import { rebuildDerived } from './rebuild-derived.ts';
import { settle } from './settle.ts';

/** Only indexes, full-text indexes or free space are damaged: they are rebuilt from the tables, of which no row is lost. */
export const reindex: Candidate = {
  name: 'reindex',
  invasiveness: 1,
  applicable: ({ damage }) => damage !== null && damage.lasting.length === 0,
  attempts({ pristine, journalMode, activity }) {
    return [
      {
        label: 'rebuild indexes and free space',
        snapshot: null,
        async build(directory) {
          const sidecars = ['-wal', '-journal'] as const;
          const copy = await copyFamilyAside(pristine, directory, sidecars, activity);
          settle(copy, 'rollback');
          const doubtfulRows = await rebuildDerived(copy, activity);
          settle(copy, journalMode);
          return { path: copy, doubtfulRows };
        },
      },
    ];
  },
};
