import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { hostPath, logicalPath, sourceReference } from './scalars.ts';
import { snapshotTag } from './snapshot-notes.ts';

/** What an export, or another program, has written, taken in again. */

const into = {
  sourceId: sourceReference,
  /** Logical, `data/app.db`. Absent: the only one of the newest snapshot. */
  database: logicalPath.min(1).optional(),
  /** An ordinary file on the daemon's host. */
  from: hostPath,
  /** A snapshot of what is replaced, first; true unless refused here. */
  checkpoint: z.boolean().optional(),
  /** Everything but the replacement itself. */
  dryRun: z.boolean().optional(),
  /** The name or id of the source whose database is changed. */
  confirm: z.string().max(200).optional(),
  idempotencyKey,
};

export const importMethods = {
  'database.import': {
    summary:
      'Enqueues the replacement of a whole database by what a file holds. It is made and checked aside, then swapped in; what it replaces is kept. Needs `confirm`.',
    params: z.strictObject({
      ...into,
      /** Absent: by content. */
      format: z.enum(['db', 'sql', 'jsonl']).optional(),
      /** Rows that point to nothing are refused, not only warned of. */
      strict: z.boolean().optional(),
      /** A database with migrations is brought to the newest version; false: it comes in as it is. */
      migrate: z.boolean().optional(),
      /** A database newer than the newest step comes in as it is, instead of being refused with SCHEMA_TOO_NEW. */
      allowNewer: z.boolean().optional(),
    }),
    result: submitted,
  },
  'table.import': {
    summary:
      'Enqueues the import of JSON lines into tables that are there, all of them or nothing: in a copy that is swapped in, or with `live` in the database itself. Needs `confirm`.',
    params: z.strictObject({
      ...into,
      /** What becomes of rows that are there: kept, updated by their key, or all removed first. */
      mode: z.enum(['insert-ignore', 'upsert', 'replace']),
      /** Of lines without a header. */
      table: z.string().min(1).max(1024).optional(),
      /** Columns that the table does not have are refused, not only listed. */
      strict: z.boolean().optional(),
      live: z.boolean().optional(),
      /** The triggers of the tables run for every row. */
      triggers: z.boolean().optional(),
      lineBytesMax: z
        .int()
        .min(1024)
        .max(2 ** 30)
        .optional(),
    }),
    result: submitted,
  },
  'snapshot.import': {
    summary:
      'Enqueues the import of an archive as a snapshot of the origin `import`, which restores like any other, and never counts as a state of the source.',
    params: z.strictObject({
      sourceId: sourceReference,
      from: hostPath,
      /** Logical path that everything goes below, for archives that do not begin with data/, config/ or extra/. */
      under: logicalPath.min(1).optional(),
      tags: z.array(snapshotTag).max(32).optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
};
