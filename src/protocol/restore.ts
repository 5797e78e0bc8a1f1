import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { hostPath, logicalPath, snapshotReference, sourceReference } from './scalars.ts';
import { rootClass } from './snapshot.ts';

export const restoreMethods = {
  'restore.run': {
    summary: 'Enqueues a restore, or with `dryRun` the plan of one.',
    params: z.strictObject({
      snapshotId: snapshotReference,
      sourceId: sourceReference.optional(),
      target: z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('directory'), path: hostPath }),
        z.strictObject({ type: z.literal('in-place') }),
      ]),
      /** Logical, literal; absent or empty: everything. */
      paths: z.array(logicalPath.min(1)).max(1000).optional(),
      classes: z.array(rootClass).max(3).optional(),
      overwrite: z.enum(['always', 'if-changed', 'if-newer', 'never']).optional(),
      dryRun: z.boolean().optional(),
      /** A snapshot of what the plan touches, first; true in place unless refused here. */
      checkpoint: z.boolean().optional(),
      check: z.enum(['none', 'quick', 'full']).optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
};
