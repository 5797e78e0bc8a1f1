import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import {
  count,
  hostPath,
  listOf,
  page,
  recordId,
  snapshotReference,
  sourceReference,
  time,
} from './scalars.ts';

/** A report as recovery wrote it; what is not named here is evidence for people. */
export const recoveryReport = z.looseObject({
  id: z.string(),
  at: time,
  jobId: z.string().nullable(),
  sourceId: z.string(),
  database: z.string(),
  state: z.string(),
  reason: z.string(),
  dryRun: z.boolean(),
  cause: z.array(z.string()),
  rung: z.string().nullable(),
  /** Why policy left it to a person to install the best repair, and the command that does. */
  refusal: z.object({ reason: z.string(), command: z.string() }).nullable(),
  quarantineId: z.string().nullable(),
  durationMs: z.number(),
});

export const quarantineRecord = z.object({
  id: z.string(),
  at: time,
  reason: z.enum(['restore', 'recovery']),
  jobId: z.string().nullable(),
  sourceId: z.string().nullable(),
  note: z.string(),
  bytes: count,
  itemCount: count,
  /** Cut at a bounded length; `itemCount` is exact. */
  items: z.array(
    z.object({
      target: z.string(),
      members: z.array(
        z.object({
          name: z.string(),
          bytes: count,
          sha256: z.string().optional(),
          stored: z.string(),
        }),
      ),
    }),
  ),
});

export const recoveryMethods = {
  'recovery.run': {
    summary: 'Enqueues a check of the databases and, where needed, their recovery.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      /** One database; absent: all of the source. */
      database: hostPath.optional(),
      mode: z.enum(['if-needed', 'force', 'check-only']).default('if-needed'),
      dryRun: z.boolean().optional(),
      /** Installs the best repair whatever the policy of the source says of its loss. */
      acceptLoss: z.boolean().optional(),
      /** The one snapshot that a repair may use. */
      from: snapshotReference.optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'recovery.reports': {
    summary: 'Recovery reports, newest first.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...page }),
    result: listOf(recoveryReport),
  },
  'recovery.get': {
    summary: 'One recovery report.',
    params: z.strictObject({ id: recordId }),
    result: recoveryReport,
  },
  'recovery.quarantineList': {
    summary: 'What restores and recoveries set aside, newest first.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...page }),
    result: listOf(quarantineRecord),
  },
  'recovery.quarantineGet': {
    summary: 'One quarantined family.',
    params: z.strictObject({ id: recordId }),
    result: quarantineRecord,
  },
  'recovery.quarantineRestore': {
    summary: 'Copies a quarantined family into a directory outside every root.',
    params: z.strictObject({ id: recordId, directory: hostPath }),
    result: z.object({ id: z.string(), directory: z.string(), files: z.array(z.string()) }),
  },
  'recovery.quarantinePurge': {
    summary:
      'Deletes one quarantined family, all that are older than `olderThanMs`, or what the configured bounds do not let stay.',
    params: z
      .strictObject({
        id: recordId.optional(),
        olderThanMs: z.int().nonnegative().optional(),
        policy: z.literal(true).optional(),
      })
      .refine(
        (params) => Object.values(params).filter((value) => value !== undefined).length === 1,
        { message: 'give one of `id`, `olderThanMs` and `policy`' },
      ),
    result: z.object({ purged: z.array(z.string()) }),
  },
};
