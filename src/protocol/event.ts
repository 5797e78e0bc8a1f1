import { z } from 'zod';
import { alert } from './alert.ts';
import { bootPhase } from './daemon.ts';
import { jobInShort, jobLogLine, jobProgress } from './job.ts';
import { count, jobId, time } from './scalars.ts';
import { abandonedRun, scheduleSetState } from './schedule.ts';
import { sourceState } from './source.ts';

/** The method of the notifications that a subscription sends. */
export const EVENT_METHOD = 'event';

export const eventType = z.enum([
  'job.changed',
  'job.progress',
  'job.log',
  'source.changed',
  'snapshot.changed',
  'daemon.changed',
  'schedule.applied',
  'pending.abandoned',
  'settings.changed',
  'alert.changed',
  'daemon.heartbeat',
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
  /** A job that adds, removes or annotates snapshots has ended: list them again. `sourceId` null: of any source. */
  z.object({
    ...envelope,
    type: z.literal('snapshot.changed'),
    sourceId: z.string().nullable(),
    jobId: z.string(),
  }),
  z.object({ ...envelope, type: z.literal('daemon.changed'), ready: z.boolean(), bootPhase }),
  /** Of the settings or of sources: read them again. */
  z.object({ ...envelope, type: z.literal('settings.changed'), version: count }),
  /** Schedules changed, or were paused or resumed: these hold now. */
  z.object({ ...envelope, type: z.literal('schedule.applied'), set: scheduleSetState }),
  /** A scheduled run that failed is not tried again. */
  z.object({ ...envelope, type: z.literal('pending.abandoned'), pending: abandonedRun }),
  /** An alert is new, was seen again, or was acknowledged or resolved. */
  z.object({ ...envelope, type: z.literal('alert.changed'), alert }),
  /** Every 30 s, so that silence means that the connection is dead. */
  z.object({ ...envelope, type: z.literal('daemon.heartbeat'), at: time }),
  /** The subscriber read too slowly: `missed` events up to and with `seq` were not sent; read the state again. */
  z.object({ ...envelope, type: z.literal('gap'), missed: count }),
]);

export const eventMethods = {
  'event.subscribe': {
    summary: 'Sends `event` notifications on this connection until it ends.',
    params: z.strictObject({
      /** Absent: all types. */
      types: z.array(eventType).min(1).max(eventType.options.length).optional(),
      /** Only events of this job. */
      jobId: jobId.optional(),
      /**
       * Goes on after an event that was seen before: what came since is sent first, in order, each once. What is
       * not kept any more, and the end of the daemon's run that it was of, become a `gap`.
       */
      after: z.strictObject({ stream: z.string().max(64), seq: count }).optional(),
    }),
    result: z.object({
      subscriptionId: z.string(),
      /** The run of the daemon that the numbers are of: pass it with the last `seq` seen as `after`. */
      stream: z.string(),
      /** The events of this subscription have higher numbers. */
      seq: count,
    }),
  },
  'event.unsubscribe': {
    summary: 'Ends a subscription; after the answer none of its events come.',
    params: z.strictObject({ subscriptionId: z.string().max(64) }),
    result: z.object({ ended: z.boolean() }),
  },
};
