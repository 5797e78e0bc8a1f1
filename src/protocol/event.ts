import { z } from 'zod';
import { bootPhase } from './daemon.ts';
import { jobInShort, jobLogLine, jobProgress } from './job.ts';
import { count, jobId } from './scalars.ts';
import { sourceState } from './source.ts';

/** The method of the notifications that a subscription sends. */
export const EVENT_METHOD = 'event';

export const eventType = z.enum([
  'job.changed',
  'job.progress',
  'job.log',
  'source.changed',
  'daemon.changed',
]);

const envelope = {
  subscriptionId: z.string(),
  /** Rises by one with every event of the daemon, so that a subscription's numbers rise, with holes. */
  seq: count,
};

/** The params of an `event` notification. */
export const eventNotification = z.discriminatedUnion('type', [
  z.object({ ...envelope, type: z.literal('job.changed'), job: jobInShort }),
  z.object({
    ...envelope,
    type: z.literal('job.progress'),
    jobId: z.string(),
    progress: jobProgress,
  }),
  z.object({ ...envelope, type: z.literal('job.log'), jobId: z.string(), line: jobLogLine }),
  z.object({ ...envelope, type: z.literal('source.changed'), source: sourceState }),
  z.object({ ...envelope, type: z.literal('daemon.changed'), ready: z.boolean(), bootPhase }),
  /** The subscriber read too slowly: `missed` events up to and with `seq` were not sent; read the state again. */
  z.object({ ...envelope, type: z.literal('gap'), missed: count }),
]);

export const eventMethods = {
  'event.subscribe': {
    summary: 'Sends `event` notifications on this connection until it ends.',
    params: z.strictObject({
      /** Absent: all types. */
      types: z.array(eventType).min(1).max(10).optional(),
      /** Only events of this job. */
      jobId: jobId.optional(),
    }),
    result: z.object({
      subscriptionId: z.string(),
      /** The number of the last event before this subscription. */
      seq: count,
    }),
  },
  'event.unsubscribe': {
    summary: 'Ends a subscription; after the answer none of its events come.',
    params: z.strictObject({ subscriptionId: z.string().max(64) }),
    result: z.object({ ended: z.boolean() }),
  },
};
