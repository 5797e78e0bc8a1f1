import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, listOf, page, sourceReference, time } from './scalars.ts';

/** Which snapshots stay. docs/configuration.md explains every option of a policy. */

/** Of the newest snapshots, hours, days and so on; -1: all. */
const kept = z.int().min(-1).nullish();

const keepRules = {
  keepLast: kept,
  keepHourly: kept,
  keepDaily: kept,
  keepWeekly: kept,
  keepMonthly: kept,
  keepYearly: kept,
  keepWithinMs: count.nullish(),
  maxAgeMs: count.nullish(),
};

const ownRules = z.strictObject(keepRules).nullish();

/** A policy as it is written: what is left out has its default. */
export const writtenPolicy = z.strictObject({
  ...keepRules,
  pick: z.enum(['newest', 'oldest']).nullish(),
  timeZone: z.string().max(100).optional(),
  minKeep: count.optional(),
  minGood: count.optional(),
  origins: z
    .strictObject({ manual: ownRules, schedule: ownRules, change: ownRules, recovery: ownRules })
    .partial()
    .optional(),
  preRestore: z.strictObject({ keepLast: kept, maxAgeMs: count.nullish() }).nullish(),
  gfs: z
    .strictObject({
      daily: z.int().min(-1).optional(),
      weekly: z.int().min(-1).optional(),
      monthly: z.int().min(-1).optional(),
      dailyMeans: z.enum(['days', 'snapshots']).optional(),
    })
    .nullish(),
  count: z.int().nullish(),
});

const rulesInForce = {
  keepLast: z.int().nullable(),
  keepHourly: z.int().nullable(),
  keepDaily: z.int().nullable(),
  keepWeekly: z.int().nullable(),
  keepMonthly: z.int().nullable(),
  keepYearly: z.int().nullable(),
  keepWithinMs: count.nullable(),
  maxAgeMs: count.nullable(),
};

/** A policy in force: presets compiled, defaults filled in. */
export const policy = z.object({
  ...rulesInForce,
  pick: z.enum(['newest', 'oldest']),
  timeZone: z.string(),
  minKeep: count,
  minGood: count,
  origins: z.record(z.string(), z.object(rulesInForce).nullable()),
  preRestore: z
    .object({ keepLast: rulesInForce.keepLast, maxAgeMs: rulesInForce.maxAgeMs })
    .nullable(),
});

export const retentionItem = z.object({
  id: z.string(),
  shortId: z.string(),
  capturedAt: time,
  origin: z.string(),
  action: z.enum(['keep', 'remove']),
  /** Every rule and guard that keeps it; or why it goes. */
  reasons: z.array(z.string()),
});

export const retentionMethods = {
  'retention.get': {
    summary: 'The policy of a source; null: every snapshot stays.',
    params: z.strictObject({ sourceId: sourceReference.optional() }),
    result: z.object({
      sourceId: z.string(),
      policy: policy.nullable(),
      warnings: z.array(z.string()),
    }),
  },
  'retention.preview': {
    summary:
      'What the policy of a source, or the one given, would keep and remove now, newest first.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      policy: z.union([z.enum(['gfs', 'count', 'age']), writtenPolicy]).optional(),
      ...page,
    }),
    result: z.object({
      ...listOf(retentionItem).shape,
      sourceId: z.string(),
      /** Null: every snapshot stays. */
      policy: policy.nullable(),
      keepCount: count,
      removeCount: count,
    }),
  },
  'retention.apply': {
    summary: 'Enqueues a job that removes the snapshots that the policies do not keep.',
    params: z.strictObject({
      /** Absent: every source. Those without a policy are skipped and named. */
      sources: z.array(sourceReference).min(1).max(256).optional(),
      /** Ids of sources that are no longer configured: all their snapshots go, but pinned ones. */
      orphans: z.array(sourceReference).min(1).max(256).optional(),
      dryRun: z.boolean().optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
};
