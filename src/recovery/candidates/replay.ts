import { type CopiedSidecar, copyFamilyAside } from '../family-copies.ts';
import type { Attempt, Candidate, CandidateContext } from './candidate.ts';
import { settle } from './settle.ts';

/**
 * The file without a WAL or a journal that does not belong to it. Nothing in SQLite's format binds the two: an old
 * WAL beside a restored database is spliced over it. As SQLite opens it, the family was checked already, and found
 * damaged. A WAL or journal of its own does not damage a sound file: where the file is sound without it, it is not its
 * own, and what the file has is what was written.
 */
export const replay: Candidate = {
  name: 'replay',
  invasiveness: 0,
  applicable: ({ hasWal, hasJournal }) => hasWal || hasJournal,
  attempts(context) {
    const { hasWal, hasJournal } = context.assessment;
    const ways: Attempt[] = [];
    if (hasWal && hasJournal) {
      ways.push(way(context, 'without its journal', ['-wal']));
      ways.push(way(context, 'without its WAL', ['-journal']));
    }
    const alone = hasWal ? 'its WAL' : 'its journal';
    ways.push(way(context, `without ${hasWal && hasJournal ? 'WAL and journal' : alone}`, []));
    return ways;
  },
};

function way(
  { pristine, journalMode, activity }: CandidateContext,
  label: string,
  sidecars: readonly CopiedSidecar[],
): Attempt {
  return {
    label,
    snapshot: null,
    async build(directory) {
      const copy = await copyFamilyAside(pristine, directory, sidecars, activity);
      settle(copy, journalMode);
      return { path: copy, doubtfulRows: 0, exact: true };
    },
  };
}
