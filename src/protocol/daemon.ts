import { z } from 'zod';
import { jobProgress } from './job.ts';
import { repositoryStatistics } from './repository.ts';
import { count, nothing, time } from './scalars.ts';
import { scheduleState, sourceState } from './source.ts';

/** The steps of boot in their order, then `ready`; `stopping` once shutdown was asked for. */
export const bootPhase = z.enum([
  'starting',
  'swaps',
  'restores',
  'recovery',
  'repository',
  'triggers',
  'ready',
  'stopping',
]);

const bootProgress = z.object({
  /** What this step works on now, for people. */
  message: z.string().nullable(),
  done: count,
  total: count.nullable(),
});

const jobOutline = z.object({
  id: z.string(),
  kind: z.string(),
  status: z.string(),
  sourceId: z.string().nullable(),
  createdAt: time,
  startedAt: time.nullable(),
  progress: jobProgress.nullable(),
});

const lastRecovery = z.object({
  reportId: z.string().nullable(),
  at: time,
  sourceId: z.string(),
  database: z.string(),
  outcome: z.string(),
});

export const statusWarning = z.object({
  code: z.string(),
  message: z.string(),
  sourceId: z.string().nullable(),
});

export const daemonStatus = z.object({
  version: z.string(),
  protocol: z.int(),
  pid: z.int(),
  startedAt: time,
  uptimeMs: count,
  ready: z.boolean(),
  bootPhase,
  bootProgress: bootProgress.nullable(),
  sources: z.array(sourceState),
  queue: z.object({
    running: z.array(jobOutline),
    queued: z.array(jobOutline),
    queuedCount: count,
  }),
  /** As last measured; null until it was, and where there is no repository yet. */
  repository: repositoryStatistics.nullable(),
  schedules: z.array(scheduleState),
  lastRecovery: lastRecovery.nullable(),
  warnings: z.array(statusWarning),
});

export const daemonMethods = {
  'daemon.hello': {
    summary: 'Opens a session: agrees on the version of the protocol.',
    params: z.strictObject({
      protocol: z.int(),
      client: z
        .strictObject({ name: z.string().max(100), version: z.string().max(100) })
        .optional(),
    }),
    result: z.object({
      protocol: z.int(),
      protocolMin: z.int(),
      version: z.string(),
      pid: z.int(),
      ready: z.boolean(),
      capabilities: z.array(z.string()),
    }),
  },
  'daemon.ping': {
    summary: 'Answers at once.',
    params: nothing,
    result: z.object({ at: time, pid: z.int(), uptimeMs: count }),
  },
  'daemon.status': {
    summary: 'Everything worth knowing at a glance, from memory.',
    params: nothing,
    result: daemonStatus,
  },
  'daemon.shutdown': {
    summary: 'Asks the daemon to stop; answered before it does.',
    params: nothing,
    result: z.object({ stopping: z.literal(true) }),
  },
};
