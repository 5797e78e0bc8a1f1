import { join } from 'node:path';
import { bytesOf, type CopiedSidecar, copyFamilyAside } from '../family-copies.ts';
import { salvageDatabase } from '../salvage/salvage-database.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';
import type { Attempt, Candidate, CandidateContext } from './candidate.ts';
import { openCopy, settle } from './settle.ts';

interface Way {
  readonly label: string;
  readonly sidecars: readonly CopiedSidecar[];
  readonly schemaFrom: 'damaged' | 'snapshot';
}

interface NewestSnapshot {
  readonly snapshot: DatabaseSnapshot;
  readonly image: string;
}

/**
 * A new database of every row that can still be read, page by page, of the damaged one. What the damage took is
 * completed from the newest sound snapshot; rows deleted since then are not brought back.
 */
export const salvage: Candidate = {
  name: 'salvage',
  invasiveness: 3,
  applicable: () => true,
  async *attempts(context) {
    const { hasWal, hasJournal } = context.assessment;
    const sidecars: readonly CopiedSidecar[] = ['-wal', '-journal'];
    const rows = 'every readable row';
    const newest = (await context.images?.newest(context.activity)) ?? null;
    yield attempt(context, newest, { label: rows, sidecars, schemaFrom: 'damaged' });
    if (newest !== null) {
      const label = `${rows}, tables as the snapshot defines them`;
      yield attempt(context, newest, { label, sidecars, schemaFrom: 'snapshot' });
    }
    if (hasWal || hasJournal) {
      const label = `${rows} of the file without its ${hasWal ? 'WAL' : 'journal'}`;
      yield attempt(context, newest, { label, sidecars: [], schemaFrom: 'damaged' });
    }
  },
};

function attempt(
  { pristine, journalMode, activity }: CandidateContext,
  newest: NewestSnapshot | null,
  { label, sidecars, schemaFrom }: Way,
): Attempt {
  return {
    label,
    snapshot: newest?.snapshot ?? null,
    async build(directory) {
      const damaged = await copyFamilyAside(pristine, directory, sidecars, activity);
      if ((await bytesOf(`${damaged}-journal`)) !== null) rollBackJournal(damaged);
      const { path, report, foreignRows, doubtfulRows } = await salvageDatabase(
        {
          damaged,
          snapshot: newest?.image ?? null,
          schemaFrom,
          directory: join(directory, 'salvage'),
        },
        activity,
      );
      settle(path, journalMode);
      return { path, doubtfulRows, foreignRows, salvage: report };
    },
  };
}

/** Lets SQLite put back what the journal saved. Of a file that is not to be opened, the pages are read as they are. */
function rollBackJournal(path: string): void {
  let database: ReturnType<typeof openCopy> | null = null;
  try {
    database = openCopy(path);
    database.pragma('schema_version');
  } catch {
    // Whether it succeeded shows in the pages that are there.
  } finally {
    database?.close();
  }
}
