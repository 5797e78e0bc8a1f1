import { z } from 'zod';
import { alert } from './alert.ts';
import { jobProgress } from './job.ts';
import { repositoryStatistics } from './repository.ts';
import { count, nothing, time } from './scalars.ts';
import { scheduleState } from './schedule.ts';
import { sourceState } from './source.ts';

/** The steps of boot in their order, then `ready`; `stopping` once shutdown was asked for. */
export const bootPhase = z.enum([
  'starting',
  'swaps',
  'restores',
  'bootstrap',
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
  /** How the run before this one ended, and when it was last alive; null for the first. */
  previousRun: z.object({ lastSeenAt: time, clean: z.boolean() }).nullable(),
  /** Unresolved ones, the newest first, a few. */
  alerts: z.object({ open: count, acknowledged: count, newest: z.array(alert) }),
});

/** What the file holds; whoever installs Holdfast may write it. */
export const updateNotice = z.object({
  version: z.string().max(64),
  url: z.string().max(2_048).nullable().default(null),
  notes: z.string().max(16_384).nullable().default(null),
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
      /** As in snapshots: `os` and `arch` as Node names them, lower case. */
      host: z.object({ name: z.string(), os: z.string(), arch: z.string() }),
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
  'daemon.restart': {
    summary:
      'Asks the daemon to stop with exit code 75, on which its supervisor starts it again; answered before it does.',
    params: nothing,
    result: z.object({
      stopping: z.literal(true),
      /** Whether there seems to be a supervisor that will start it again. */
      supervised: z.boolean(),
    }),
  },
  'daemon.updateInfo': {
    summary:
      'What `update.json` in the state directory says about a newer version, for people: nothing is ever fetched or installed.',
    params: nothing,
    result: z.object({
      version: z.string(),
      /** Null where nobody has put such a file there. */
      available: updateNotice.nullable(),
      newer: z.boolean(),
    }),
  },
  'daemon.shutdown': {
    summary: 'Asks the daemon to stop; answered before it does.',
    params: nothing,
    result: z.object({ stopping: z.literal(true) }),
  },
};
