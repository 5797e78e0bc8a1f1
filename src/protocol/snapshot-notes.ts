import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { snapshotReference, sourceReference } from './scalars.ts';

/** The little about a snapshot that may change. */

export const snapshotTag = z.string().min(1).max(64);
const tags = z.array(snapshotTag).max(32).default([]);
const chosen = {
  ids: z.array(snapshotReference).min(1).max(1000),
  sourceId: sourceReference.optional(),
};

export const snapshotNoteMethods = {
  'snapshot.tag': {
    summary: 'Enqueues adding and removing tags.',
    params: z.strictObject({ ...chosen, add: tags, remove: tags, idempotencyKey }),
    result: submitted,
  },
  'snapshot.pin': {
    summary: 'Enqueues pinning: what is pinned is removed by nothing until it is unpinned.',
    params: z.strictObject({ ...chosen, idempotencyKey }),
    result: submitted,
  },
  'snapshot.unpin': {
    summary: 'Enqueues taking the pins off again.',
    params: z.strictObject({ ...chosen, idempotencyKey }),
    result: submitted,
  },
  'snapshot.reseal': {
    summary:
      'Enqueues a deep verification that, if it passes, replaces notes that are damaged or say that the snapshot failed.',
    params: z.strictObject({
      id: snapshotReference,
      sourceId: sourceReference.optional(),
      /** The snapshot will never again serve automatic recovery. */
      iKnow: z.literal(true),
      idempotencyKey,
    }),
    result: submitted,
  },
};
