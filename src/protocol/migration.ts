import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import {
  count,
  listOf,
  logicalPath,
  page,
  snapshotReference,
  sourceReference,
  time,
} from './scalars.ts';

const version = z
  .string()
  .max(128)
  .regex(/^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/, 'must be a semantic version such as 1.4.0');

const choice = {
  sourceId: sourceReference.optional(),
  /** Needed where the source has migrations for several. */
  database: logicalPath.min(1).optional(),
};

const change = {
  ...choice,
  /** Shows the steps, and changes nothing. */
  dryRun: z.boolean().optional(),
  /** A snapshot of the database as it is, first; true unless refused here. */
  checkpoint: z.boolean().optional(),
  /** Also where a step's file changed after it had run. */
  force: z.boolean().optional(),
  /** The name or id of the source whose database is to be changed; not needed for a dry run. */
  confirm: z.string().max(200).optional(),
  idempotencyKey,
};

/** One step that was tried. */
const migrationRow = z.object({
  sequence: count,
  sourceId: z.string(),
  database: z.string(),
  version: z.string(),
  name: z.string(),
  /** SHA-256 of the file that was run. */
  checksum: z.string(),
  direction: z.enum(['up', 'down']),
  /** The version of the database once it has run. */
  leadsTo: z.string(),
  purpose: z.enum(['migrate', 'restore', 'stage', 'import']),
  jobId: z.string(),
  startedAt: time,
  finishedAt: time.nullable(),
  success: z.boolean().nullable(),
  error: z.string().nullable(),
  /** Whether the copy that it ran on stands in the place of the database; null: not yet, or not known. */
  installed: z.boolean().nullable(),
});

export const migrationMethods = {
  'migration.status': {
    summary: 'Enqueues a look at the version of every database that has migrations.',
    params: z.strictObject({ ...choice, idempotencyKey }),
    result: submitted,
  },
  'migration.pending': {
    summary: 'Enqueues the list of the steps that lead to a version, or to the newest one.',
    params: z.strictObject({ ...choice, target: version.optional(), idempotencyKey }),
    result: submitted,
  },
  'migration.check': {
    summary:
      'Enqueues the comparison of the databases of a snapshot, by their own versions, with the steps of today.',
    params: z.strictObject({
      snapshotId: snapshotReference,
      sourceId: sourceReference.optional(),
      /** Reports a newer or unknown version, instead of failing with it. */
      force: z.boolean().optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'migration.up': {
    summary:
      'Enqueues running steps up to a version, on a copy of the database that then takes its place. Needs `confirm`.',
    params: z.strictObject({ ...change, target: version.optional() }),
    result: submitted,
  },
  'migration.down': {
    summary: 'Enqueues undoing steps down to a version, the newest first. Needs `confirm`.',
    params: z.strictObject({ ...change, target: version }),
    result: submitted,
  },
  'migration.history': {
    summary: 'Steps that were tried, newest first, whatever became of them.',
    params: z.strictObject({ ...choice, ...page }),
    result: listOf(migrationRow),
  },
};
