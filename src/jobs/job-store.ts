import type Database from 'better-sqlite3';
import type { Clock } from '../kernel/clock.ts';
import { cannot, type ErrorDocument } from '../kernel/errors.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { Job, JobKind, JobProgress, JobStatus } from './job.ts';
import { HISTORY_BOUNDS, type HistoryBounds, pruneJobs } from './job-pruning.ts';
import type { JobRequest } from './job-request.ts';
import { isFinished, type JobRow, jobOfRow } from './job-rows.ts';

export const LIST_LIMIT_MAX = 500;

export type NewJob = Pick<
  Job,
  'id' | 'kind' | 'sourceId' | 'params' | 'actor' | 'priority' | 'mutating' | 'deadlineMs'
> & {
  readonly coalesceKey: string | null;
  readonly idempotencyKey: string | null;
  readonly tick?: JobRequest['tick'] | null;
};

export interface JobEnd {
  readonly status: Extract<JobStatus, 'succeeded' | 'failed' | 'cancelled'>;
  readonly result: Record<string, unknown> | null;
  readonly error: ErrorDocument | null;
  readonly warnings: number;
  readonly progress: JobProgress | null;
}

export interface JobFilter {
  readonly status?: JobStatus;
  readonly kind?: JobKind;
  readonly sourceId?: string;
  /** @default 50, at most LIST_LIMIT_MAX */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | null;
}

export interface JobPage {
  readonly items: Job[];
  readonly nextCursor: string | null;
}

/** Jobs in state.db. Every transition is one durable transaction; a terminal state never changes. */
export class JobStore {
  readonly #state: StateDatabase;
  readonly #clock: Clock;
  readonly #historyBounds: () => HistoryBounds;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(
    state: StateDatabase,
    clock: Clock,
    historyBounds: () => HistoryBounds = () => HISTORY_BOUNDS,
  ) {
    this.#state = state;
    this.#clock = clock;
    this.#historyBounds = historyBounds;
  }

  insert({ tick, ...job }: NewJob, alongside?: JobRequest['alongside']): Job {
    this.#state.transaction(() => {
      this.#prepare(
        `INSERT INTO jobs (id, kind, status, sourceId, params, actor, priority, mutating, coalesceKey,
                           idempotencyKey, createdAt, deadlineMs, scheduleId, scheduledAt, attempt)
         VALUES (@id, @kind, 'queued', @sourceId, @params, @actor, @priority, @mutating, @coalesceKey,
                 @idempotencyKey, @createdAt, @deadlineMs, @scheduleId, @scheduledAt, @attempt)`,
      ).run({
        ...job,
        params: JSON.stringify(job.params),
        mutating: job.mutating ? 1 : 0,
        createdAt: Math.round(this.#clock.nowMs()),
        scheduleId: tick?.scheduleId ?? null,
        scheduledAt: tick?.dueAtMs ?? null,
        attempt: tick?.attempt ?? 1,
      });
      alongside?.(job.id);
    });
    return this.require(job.id);
  }

  /** For a request that became a job that was there before. */
  writeAlongside(jobId: string, alongside: NonNullable<JobRequest['alongside']>): void {
    this.#state.transaction(() => alongside(jobId));
  }

  get(id: string): Job | null {
    const row = this.#prepare('SELECT * FROM jobs WHERE id = ?').get(id) as JobRow | undefined;
    return row === undefined ? null : jobOfRow(row);
  }

  /** @throws NOT_FOUND */
  require(id: string): Job {
    const job = this.get(id);
    if (job !== null) return job;
    throw cannot('NOT_FOUND', 'find job', id, 'no job has this id', {
      hint: `Only the newest ${this.#historyBounds().jobs} finished jobs are kept.`,
    });
  }

  findQueued(coalesceKey: string): Job | null {
    const row = this.#prepare(
      "SELECT * FROM jobs WHERE status = 'queued' AND coalesceKey = ? ORDER BY sequence LIMIT 1",
    ).get(coalesceKey) as JobRow | undefined;
    return row === undefined ? null : jobOfRow(row);
  }

  findByIdempotencyKey(key: string): Job | null {
    const row = this.#prepare('SELECT * FROM jobs WHERE idempotencyKey = ?').get(key);
    return row === undefined ? null : jobOfRow(row as JobRow);
  }

  /** Queued jobs in the order in which they are to run. */
  queued(): Job[] {
    const rows = this.#prepare(
      "SELECT * FROM jobs WHERE status = 'queued' ORDER BY priority DESC, sequence",
    ).all() as JobRow[];
    return rows.map(jobOfRow);
  }

  running(): Job[] {
    const rows = this.#prepare("SELECT * FROM jobs WHERE status = 'running'").all() as JobRow[];
    return rows.map(jobOfRow);
  }

  queuedCount(): number {
    return this.#prepare("SELECT count(*) FROM jobs WHERE status = 'queued'")
      .pluck()
      .get() as number;
  }

  /** Newest first, by submission. */
  list(filter: JobFilter): JobPage {
    const limit = Math.min(Math.max(filter.limit ?? 50, 1), LIST_LIMIT_MAX);
    const rows = this.#prepare(
      `SELECT * FROM jobs
       WHERE (@status IS NULL OR status = @status) AND (@kind IS NULL OR kind = @kind)
         AND (@sourceId IS NULL OR sourceId = @sourceId) AND (@before IS NULL OR sequence < @before)
       ORDER BY sequence DESC LIMIT @rows`,
    ).all({
      status: filter.status ?? null,
      kind: filter.kind ?? null,
      sourceId: filter.sourceId ?? null,
      before: parseCursor(filter.cursor ?? null),
      rows: limit + 1,
    }) as JobRow[];
    const page = rows.slice(0, limit);
    const more = rows.length > limit;
    return { items: page.map(jobOfRow), nextCursor: more ? String(page.at(-1)!.sequence) : null };
  }

  raisePriority(id: string, priority: number): void {
    this.#state.transaction(() =>
      this.#prepare(
        "UPDATE jobs SET priority = ? WHERE id = ? AND status = 'queued' AND priority < ?",
      ).run(priority, id, priority),
    );
  }

  markRunning(id: string): Job {
    this.#state.transaction(() => {
      const { changes } = this.#prepare(
        "UPDATE jobs SET status = 'running', startedAt = ? WHERE id = ? AND status = 'queued'",
      ).run(Math.round(this.#clock.nowMs()), id);
      if (changes !== 1) throw cannot('INTERNAL', 'start job', id, 'it is not queued');
    });
    return this.require(id);
  }

  setWorkerPid(id: string, pid: number): void {
    this.#state.transaction(() =>
      this.#prepare("UPDATE jobs SET workerPid = ? WHERE id = ? AND status = 'running'").run(
        pid,
        id,
      ),
    );
  }

  /** Ends a job, and prunes what is over the bounds. @throws JOB_FINISHED */
  finish(id: string, end: JobEnd): Job {
    return this.#state.transaction(() => {
      const before = this.require(id);
      if (isFinished(before.status)) {
        throw cannot('JOB_FINISHED', 'end job', id, `it is ${before.status}`);
      }
      this.#prepare(
        `UPDATE jobs SET status = @status, finishedAt = @finishedAt, exitCode = @exitCode,
           result = @result, error = @error, warnings = @warnings, progress = @progress,
           finishOrder = (SELECT coalesce(max(finishOrder), 0) + 1 FROM jobs)
         WHERE id = @id`,
      ).run({
        id,
        status: end.status,
        finishedAt: Math.round(this.#clock.nowMs()),
        exitCode: exitCodeOf(end),
        result: end.result === null ? null : JSON.stringify(end.result),
        error: end.error === null ? null : JSON.stringify(end.error),
        warnings: end.warnings,
        progress: end.progress === null ? null : JSON.stringify(end.progress),
      });
      const ended = this.require(id);
      pruneJobs(this.#state.connection, this.#historyBounds());
      return ended;
    });
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#state.connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function parseCursor(cursor: string | null): number | null {
  if (cursor === null) return null;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw cannot('INVALID_PARAMS', 'list jobs from', cursor, 'this is no cursor of a job list');
}

function exitCodeOf(end: JobEnd): number {
  if (end.status === 'cancelled') return 130;
  if (end.status === 'failed') return 1;
  return end.warnings > 0 ? 3 : 0;
}
