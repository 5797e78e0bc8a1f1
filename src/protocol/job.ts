import { z } from 'zod';
import { count, errorDocument, jobId, listOf, page, sourceReference, time } from './scalars.ts';

export const jobKind = z.enum([
  'backup',
  'restore',
  'stage',
  'apply',
  'recover',
  'verify',
  'drill',
  'coverage',
  'discover',
  'check',
  'forget',
  'prune',
  'delete',
  'annotate',
  'init',
  'maintain',
  'hook',
  'plugin',
  'diff',
  'artifact',
  'publish',
  'bootstrap',
  'export',
  'import',
  'migrate',
  'reseal',
  'rebuild',
  'key',
  'copy',
  'accept',
  'convert',
  'reconcile',
]);

export const jobStatus = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);

export const jobProgress = z.object({
  phase: z.string(),
  currentFile: z.string().nullable(),
  filesDone: count,
  totalFiles: count.nullable(),
  bytesDone: count,
  totalBytes: count.nullable(),
  /** 0..1, never decreasing, 1 only on success; null while a total is unknown. */
  percentDone: z.number().nullable(),
  throughputBps: z.number().nullable(),
  etaSeconds: z.number().nullable(),
});

export const job = z.object({
  id: z.string(),
  kind: jobKind,
  status: jobStatus,
  sourceId: z.string().nullable(),
  params: z.record(z.string(), z.unknown()),
  actor: z.enum(['user', 'schedule', 'change', 'boot']),
  priority: z.number(),
  mutating: z.boolean(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  deadlineMs: z.number().nullable(),
  progress: jobProgress.nullable(),
  warnings: count,
  /** 0 ok, 1 failed, 3 done with warnings, 130 cancelled; null until finished. */
  exitCode: z.int().nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  error: errorDocument.nullable(),
  workerPid: z.int().nullable(),
  /** The schedule that asked for it, and its tick; null for anybody else. `startedAt` is when it really began. */
  scheduleId: z.string().nullable(),
  scheduledAt: time.nullable(),
  /** 1, or which run it is of a tick whose runs before failed. */
  attempt: z.int().min(1),
});

/**
 * Lists and events carry jobs in short, because results and params can be large: `result` null, long `params` empty,
 * errors without details. `job.get`, `job.wait` and the answers of submissions have all of it.
 */
export const jobInShort = job;

export const jobLogLine = z.object({
  seq: count,
  at: time,
  stream: z.enum(['stdout', 'stderr', 'event']),
  message: z.string(),
});

/**
 * Answer of every method that enqueues: the job, durable by then. `coalesced` when an equal job was already
 * waiting and is answered instead of a second one.
 */
export const submitted = z.object({ job, coalesced: z.boolean() });

/** Same key, same job: a client that lost the answer may ask again without doing the work twice. */
export const idempotencyKey = z.string().min(1).max(200).optional();

/** How long one `job.wait` may hold its answer back. */
export const JOB_WAIT_MS_MAX = 600_000;

const jobStatistics = z.object({
  kind: jobKind,
  count,
  succeeded: count,
  failed: count,
  cancelled: count,
  /** Succeeded, with warnings. */
  warned: count,
  lastFinishedAt: time,
  lastStatus: z.enum(['succeeded', 'failed', 'cancelled']),
  /** Of those that ran; null where none did. */
  lastDurationMs: count.nullable(),
  medianDurationMs: count.nullable(),
  longestDurationMs: count.nullable(),
  /** Read or written by all of them together, as their progress counted. */
  bytes: count,
});

export const jobMethods = {
  'job.list': {
    summary:
      'Jobs in short, newest first. A page may hold fewer than asked for and not be the last.',
    params: z.strictObject({
      status: z.array(jobStatus).min(1).max(5).optional(),
      kind: jobKind.optional(),
      sourceId: sourceReference.optional(),
      ...page,
    }),
    result: listOf(jobInShort),
  },
  'job.get': {
    summary: 'One job.',
    params: z.strictObject({ id: jobId }),
    result: job,
  },
  'job.cancel': {
    summary: 'Cancels a job that waits or runs; a running one ends within seconds, not at once.',
    params: z.strictObject({ id: jobId }),
    result: job,
  },
  'job.logs': {
    summary: "Lines of a job's log, in order, from `fromSeq` on.",
    params: z.strictObject({
      id: jobId,
      fromSeq: z.int().min(1).default(1),
      limit: page.limit,
    }),
    result: z.object({
      items: z.array(jobLogLine),
      /** The `fromSeq` of the next call, whether or not that line exists yet. */
      nextSeq: z.int(),
      /** `nextSeq` as a string while more lines are there now, else null. */
      nextCursor: z.string().nullable(),
      /** The job is finished: no line beyond the ones that are there will ever be added. */
      finished: z.boolean(),
    }),
  },
  'job.statistics': {
    summary: 'How the remembered jobs of each kind ended, and how long they took.',
    params: z.strictObject({ sourceId: sourceReference.optional() }),
    result: z.object({ items: z.array(jobStatistics) }),
  },
  'job.wait': {
    summary: 'Answers when the job is finished, or after `timeoutMs` with the job as it is then.',
    params: z.strictObject({
      id: jobId,
      timeoutMs: z.int().min(0).max(JOB_WAIT_MS_MAX).default(30_000),
    }),
    result: z.object({ finished: z.boolean(), job }),
  },
};
