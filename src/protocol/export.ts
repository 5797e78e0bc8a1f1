import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { hostPath, logicalPath, snapshotReference, sourceReference } from './scalars.ts';
import { rootClass } from './snapshot.ts';

/** A snapshot, or a part of it, as one file that other programs read. */

/** A new file on the daemon's host, or a Unix socket on which the client waits for the bytes. */
const target = z.union([
  hostPath,
  z.strictObject({ type: z.literal('socket'), path: hostPath.max(103) }),
]);

/** Of one snapshot; without `snapshotId`, of one that is taken first. */
const subject = {
  snapshotId: snapshotReference.optional(),
  sourceId: sourceReference.optional(),
};

const destination = {
  to: target,
  /** An ordinary file that stands there is replaced once the new one is whole. */
  overwrite: z.boolean().optional(),
  /** What was written is read back before it is done; by default where it is a database that goes to a file. */
  verify: z.boolean().optional(),
  idempotencyKey,
};

const database = logicalPath.min(1);
const tables = z.array(z.string().min(1).max(1024)).min(1).max(1000);

const isOfSomething = ({ snapshotId, sourceId }: { snapshotId?: unknown; sourceId?: unknown }) =>
  snapshotId !== undefined || sourceId !== undefined;
const OF_NOTHING = { message: 'give one of `snapshotId` and `sourceId`' };

export const exportMethods = {
  'snapshot.export': {
    summary:
      'Enqueues an export: one database as a file, SQL text or tables, or files of the snapshot as an archive. The snapshot stays meanwhile. The result has `bytes` and `sha256`.',
    params: z
      .strictObject({
        ...subject,
        format: z.enum(['db', 'sql', 'jsonl', 'tar', 'tar.gz', 'tar.zst', 'zip']),
        /** Of `db`, `sql` and `jsonl`. Absent: the only one. */
        database: database.optional(),
        /** Of `jsonl`. Absent: all. */
        tables: tables.optional(),
        /** Of `jsonl`: bare objects of exactly one table. */
        plain: z.boolean().optional(),
        /** Of archives: logical, literal; a directory stands for everything below it. Absent: everything. */
        paths: z.array(logicalPath.min(1)).min(1).max(1000).optional(),
        classes: z.array(rootClass).max(3).optional(),
        ...destination,
      })
      .refine(isOfSomething, OF_NOTHING),
    result: submitted,
  },
  'table.export': {
    summary: 'Enqueues an export of tables as JSON lines: header, rows and footer of each.',
    params: z
      .strictObject({
        ...subject,
        database: database.optional(),
        tables: tables.optional(),
        /** Says that no list of tables is meant: every one. */
        all: z.boolean().optional(),
        plain: z.boolean().optional(),
        ...destination,
      })
      .refine(isOfSomething, OF_NOTHING)
      .refine(({ tables: named, all }) => (named === undefined) === (all === true), {
        message: 'give one of `tables` and `all: true`',
      }),
    result: submitted,
  },
};
