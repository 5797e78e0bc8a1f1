import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, listOf, page, sourceReference, time } from './scalars.ts';

/** One restore of one snapshot to scratch, as the notes of the snapshot keep it. */
export const drillItem = z.object({
  snapshotId: z.string(),
  sourceId: z.string(),
  /** Of the snapshot. */
  capturedAt: time,
  at: time,
  ok: z.boolean(),
  findings: z.array(z.string()),
  durationMs: count.nullable(),
});

export const drillMethods = {
  'drill.run': {
    summary:
      'Enqueues a drill: the newest good snapshot is restored to scratch, checked, and held against assertions.',
    params: z.strictObject({
      /** Absent: every source. */
      sourceId: sourceReference.optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'drill.list': {
    summary: 'Drills that snapshots remember, newest first.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...page }),
    result: listOf(drillItem),
  },
};
