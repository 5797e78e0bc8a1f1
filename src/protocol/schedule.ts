import { z } from 'zod';
import { jobStatus } from './job.ts';
import { count, listOf, nothing, page, sourceReference, time } from './scalars.ts';

/** What is due when: one versioned set, and runs that wait to be tried again. */

const scheduleTrigger = z.discriminatedUnion('type', [
  z.object({ type: z.literal('cron'), expression: z.string(), timeZone: z.string() }),
  z.object({ type: z.literal('interval'), intervalMs: count }),
]);

const scheduleKind = z.enum(['backup', 'forget', 'prune', 'check', 'verify', 'drill', 'publish']);
const catchUp = z.enum(['one', 'none']);
const overlap = z.enum(['skip', 'queue']);
const setOrigin = z.enum(['configuration', 'rpc']);

export const scheduleState = z.object({
  id: z.string(),
  /** Null: of the repository as a whole. */
  sourceId: z.string().nullable(),
  kind: scheduleKind,
  trigger: scheduleTrigger,
  enabled: z.boolean(),
  catchUp,
  jitterMs: count,
  overlap,
  origin: setOrigin,
  /** Why it has no due time: it or its source is off, it is paused, its source is gone; null: it is in force. */
  idleness: z.enum(['off', 'paused', 'gone']).nullable(),
  nextDueAt: time.nullable(),
  /** The newest tick that became a job, when that job began, and how it stands. */
  lastDueAt: time.nullable(),
  lastRunAt: time.nullable(),
  lastStatus: jobStatus.nullable(),
  lastJobId: z.string().nullable(),
});

const text = z.string().max(256);

/** A schedule as a client writes it. What may be left out has the defaults of the configuration file. */
const scheduleFields = {
  trigger: z.union([
    /** `6h`, or a cron expression. */
    text,
    z.strictObject({ type: z.literal('cron'), expression: text, timeZone: text.optional() }),
    z.strictObject({ type: z.literal('interval'), intervalMs: z.union([count, text]) }),
  ]),
  enabled: z.boolean().optional(),
  catchUp: catchUp.optional(),
  jitterMs: z.union([count, text]).optional(),
  overlap: overlap.optional(),
};

const scheduleInput = z.strictObject({
  id: z.string().max(64).optional(),
  sourceId: sourceReference.nullish(),
  kind: scheduleKind.optional(),
  ...scheduleFields,
});

const { trigger, ...otherFields } = scheduleFields;
const scheduleChanges = z.strictObject({ trigger: trigger.optional(), ...otherFields });

const expectVersion = count.optional();
const reference = {
  scheduleId: z.string().min(1).max(64),
  /** Needed where several sources have a schedule of this id; null: of the repository as a whole. */
  sourceId: sourceReference.nullish(),
};

export const scheduleSetState = z.object({
  version: count,
  origin: setOrigin,
  /** All of them are. */
  paused: z.boolean(),
  /** What the scheduler goes by; null until the daemon is ready for the first time. */
  appliedVersion: count.nullable(),
  appliedAt: time.nullable(),
  /** How many schedules have due times. */
  applied: count,
  rejected: z.array(
    z.object({ scheduleId: z.string(), sourceId: z.string().nullable(), reason: z.string() }),
  ),
});

const failedRun = {
  scheduleId: z.string(),
  sourceId: z.string(),
  kind: z.enum(['backup', 'verify', 'drill', 'publish']),
  /** The tick that all attempts are for. */
  scheduledAt: time,
  /** Runs that failed so far. */
  attempt: z.int().min(1),
  lastJobId: z.string(),
  lastError: z.object({ code: z.string(), message: z.string() }),
};

export const pendingRun = z.object({ ...failedRun, nextAttemptAt: time });
export const abandonedRun = z.object({ ...failedRun, reason: z.string() });

export const scheduleMethods = {
  'schedule.list': {
    summary: 'Schedules with their persisted due times, the next due first.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...page }),
    result: listOf(scheduleState),
  },
  'schedule.status': {
    summary: 'The version of the set, the version in force, and what cannot be in force.',
    params: nothing,
    result: scheduleSetState,
  },
  'schedule.set': {
    summary:
      'Replaces all schedules, also those of the configuration, until schedule.reset. All or nothing; an empty list turns everything off.',
    params: z.strictObject({ expectVersion, schedules: z.array(scheduleInput).max(1_000) }),
    result: scheduleSetState,
  },
  'schedule.add': {
    summary: 'Adds one schedule to the set.',
    params: z.strictObject({ expectVersion, schedule: scheduleInput }),
    result: scheduleSetState,
  },
  'schedule.update': {
    summary: 'Changes one schedule; what `changes` leaves out stays. The kind and the source stay.',
    params: z.strictObject({ expectVersion, ...reference, changes: scheduleChanges }),
    result: scheduleSetState,
  },
  'schedule.remove': {
    summary: 'Removes one schedule from the set.',
    params: z.strictObject({ expectVersion, ...reference }),
    result: scheduleSetState,
  },
  'schedule.reset': {
    summary: "From now on the configuration's schedules hold again.",
    params: z.strictObject({ expectVersion }),
    result: scheduleSetState,
  },
  'schedule.pause': {
    summary:
      'No more runs of one schedule, or of any, until schedule.resume; also after a restart.',
    params: z.strictObject({
      scheduleId: reference.scheduleId.optional(),
      sourceId: reference.sourceId,
    }),
    result: scheduleSetState,
  },
  'schedule.resume': {
    summary: 'Ends a pause; runs missed meanwhile are not made up for.',
    params: z.strictObject({
      scheduleId: reference.scheduleId.optional(),
      sourceId: reference.sourceId,
    }),
    result: scheduleSetState,
  },
};

export const pendingMethods = {
  'pending.list': {
    summary: 'Scheduled runs that failed and will be tried again, the next one first.',
    params: z.strictObject({ ...page }),
    result: listOf(pendingRun),
  },
  'pending.drop': {
    summary: 'Gives up on one of them; the next tick of its schedule runs as usual.',
    params: z.strictObject({ scheduleId: reference.scheduleId, sourceId: sourceReference }),
    result: z.object({ dropped: z.literal(true) }),
  },
};
