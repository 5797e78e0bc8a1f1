import { z } from 'zod';
import { bandwidth } from './bandwidth.ts';
import { idempotencyKey, submitted } from './job.ts';
import {
  count,
  errorDocument,
  hostPath,
  listOf,
  logicalPath,
  page,
  recordId,
  snapshotReference,
  sourceReference,
  time,
} from './scalars.ts';
import { rootClass } from './snapshot.ts';

/** Absolute on the daemon's host, or in its user's home; no other variable is replaced. */
const restoreDirectory = z
  .string()
  .max(4096)
  .regex(
    /^(?:\/|~\/|~$|\$HOME(?:\/|$)|\$\{HOME\}(?:\/|$))[^\0]*$/,
    'must be absolute, or begin with ~/ or $HOME/',
  );

const target = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('directory'),
    /** Absent: a new one in the state directory, by the job's id. */
    path: restoreDirectory.optional(),
    /** Without it, a directory that holds anything is refused. */
    allowNonEmpty: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal('in-place') }),
]);

/** Which part of a snapshot, and how. */
const selection = {
  sourceId: sourceReference.optional(),
  /** Logical, literal; a directory stands for everything below it. Absent: everything. */
  paths: z.array(logicalPath.min(1)).max(1000).optional(),
  /** Says that an empty list of paths is meant: everything. */
  all: z.boolean().optional(),
  classes: z.array(rootClass).max(3).optional(),
  overwrite: z.enum(['always', 'if-changed', 'if-newer', 'never']).optional(),
  /** `mirror`: what the snapshot does not hold goes to quarantine; the plan lists it. */
  mode: z.enum(['merge', 'mirror']).optional(),
  /** A snapshot of what the plan touches, first; true in place unless refused here. */
  checkpoint: z.boolean().optional(),
  check: z.enum(['none', 'quick', 'full']).optional(),
  /** Databases with migrations are brought to the newest version; false: they come back as they were. */
  migrate: z.boolean().optional(),
  /** Databases newer than the newest step come back as they are, instead of being refused with SCHEMA_TOO_NEW. */
  allowNewer: z.boolean().optional(),
};

/** The name or id of the source whose files are to be replaced. */
const confirm = z.string().max(200).optional();
/** Databases that hold something may be replaced; a plan that was looked at says so by itself. */
const replaceDatabases = z.boolean().optional();

const meansSomething = ({
  paths,
  all,
}: {
  paths?: readonly string[] | undefined;
  all?: boolean | undefined;
}) => paths === undefined || paths.length > 0 || all === true;
const EMPTY = { message: 'an empty list of paths needs all: true', path: ['paths'] };

const pendingRestore = z.object({
  id: z.string(),
  snapshotId: z.string(),
  sourceId: z.string(),
  paths: z.array(z.string()),
  classes: z.array(rootClass),
  mode: z.enum(['merge', 'mirror']),
  overwrite: z.enum(['always', 'if-changed', 'if-newer', 'never']),
  checkpoint: z.boolean(),
  applyWhen: z.enum(['boot', 'free']),
  stagedAt: time,
  stagedBy: z.string().nullable(),
  /** Extracted and waiting. */
  bytes: count,
  /** `failed`: the old state is in place, and nothing is tried any more by itself. */
  state: z.enum(['staged', 'applying', 'failed']),
  attempts: count,
  lastError: errorDocument.nullable(),
});

export const restoreMethods = {
  'restore.plan': {
    summary:
      'Enqueues the plan of a restore: what it would create, overwrite, delete and skip. The job’s result has a `planId`.',
    params: z
      .strictObject({
        snapshotId: snapshotReference,
        target: target.optional(),
        ...selection,
        idempotencyKey,
      })
      .refine(meansSomething, EMPTY),
    result: submitted,
  },
  'restore.run': {
    summary:
      'Enqueues a restore: by `planId` exactly the one that was planned, or of a snapshot. In place it needs `confirm`.',
    params: z
      .strictObject({
        /** Refused with PLAN_CHANGED when the targets have changed since. */
        planId: recordId.optional(),
        snapshotId: snapshotReference.optional(),
        target: target.optional(),
        ...selection,
        dryRun: z.boolean().optional(),
        confirm,
        replaceDatabases,
        bandwidth,
        idempotencyKey,
      })
      .refine(({ planId, snapshotId }) => (planId === undefined) !== (snapshotId === undefined), {
        message: 'give one of `planId` and `snapshotId`',
      })
      .refine(meansSomething, EMPTY),
    result: submitted,
  },
  'restore.file': {
    summary: 'Enqueues the restore of one file, symlink or database to one place.',
    params: z.strictObject({
      snapshotId: snapshotReference,
      sourceId: sourceReference.optional(),
      path: logicalPath.min(1),
      /** Its directory must exist. Absent: by its own path, in a new directory of the state directory. */
      to: hostPath.optional(),
      /** What stands there is replaced, and kept in quarantine. */
      overwrite: z.boolean().optional(),
      check: z.enum(['none', 'quick', 'full']).optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'restore.stage': {
    summary:
      'Enqueues the staging of a restore in place: extracted and checked now, put in place at the next start or when its target is free.',
    params: z
      .strictObject({
        snapshotId: snapshotReference,
        ...selection,
        confirm,
        replaceDatabases,
        applyWhen: z.enum(['boot', 'free']).optional(),
        /** Takes the place of the one that waits for the same source. */
        replacePending: z.boolean().optional(),
        idempotencyKey,
      })
      .refine(meansSomething, EMPTY),
    result: submitted,
  },
  'restore.pending': {
    summary: 'Staged restores that wait, or that failed, newest first.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...page }),
    result: listOf(pendingRestore),
  },
  'restore.cancel': {
    summary: 'Forgets a staged restore and what was staged.',
    params: z.strictObject({ id: recordId }),
    result: z.object({ id: z.string() }),
  },
  'restore.apply': {
    summary: 'Enqueues putting staged restores in place: one, or all.',
    params: z.strictObject({ id: recordId.optional(), idempotencyKey }),
    result: submitted,
  },
};
