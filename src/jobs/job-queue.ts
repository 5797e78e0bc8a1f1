import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import type { StateDatabase } from '../state/state-database.ts';
import { settleInterruptedJobs } from './interrupted-jobs.ts';
import type { Job, JobKind } from './job.ts';
import { JobEvents, type JobListener } from './job-events.ts';
import { JobLogStore, type LogPage } from './job-log-store.ts';
import { defaultPriority } from './job-priority.ts';
import type { HistoryBounds } from './job-pruning.ts';
import { coalesceKeyOf, type JobRequest, type SubmittedJob } from './job-request.ts';
import { isFinished } from './job-rows.ts';
import { JobRunner, type RunJob } from './job-runner.ts';
import { type JobStatistics, jobStatistics } from './job-statistics.ts';
import { type JobEnd, type JobFilter, type JobPage, JobStore } from './job-store.ts';

/** Queued jobs; a request beyond them is refused. Boot is exempt: recovery must not wait for a full queue. */
export const QUEUED_JOBS_MAX = 256;

export interface JobQueueOptions {
  readonly state: StateDatabase;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does the job, in practice by `runWorker`. A rejection fails the job. */
  readonly runJob: RunJob;
  /** Asked whenever a job ends. @default HISTORY_BOUNDS */
  readonly historyBounds?: () => HistoryBounds;
}

/**
 * The durable queue: one mutating job at a time, up to READING_JOBS_MAX others beside it, higher priority first,
 * then first come first served; what has waited for PATIENCE_MS comes before all but what somebody waits for. What a method returned is durable. Whatever a worker does, its job ends with a
 * reason and the queue goes on.
 */
export class JobQueue implements Service {
  readonly name = 'jobs';
  readonly #clock: Clock;
  readonly #state: StateDatabase;
  readonly #store: JobStore;
  readonly #logs: JobLogStore;
  readonly #events: JobEvents;
  readonly #runner: JobRunner;
  #phase: 'new' | 'open' | 'stopping' = 'new';

  constructor({ state, clock, logger, runJob, historyBounds }: JobQueueOptions) {
    this.#clock = clock;
    this.#state = state;
    this.#store = new JobStore(state, clock, historyBounds);
    this.#logs = new JobLogStore(state);
    this.#events = new JobEvents(logger);
    this.#runner = new JobRunner({
      store: this.#store,
      logs: this.#logs,
      events: this.#events,
      clock,
      logger,
      runJob,
    });
  }

  /** Settles what an earlier daemon left, then runs what is queued. */
  async start(): Promise<void> {
    if (this.#phase !== 'new') return;
    const changed = await settleInterruptedJobs(this.#store, this.#clock);
    this.#phase = 'open';
    for (const job of changed) this.#events.emit({ type: 'job.changed', job });
    this.#runner.open();
  }

  /**
   * Takes no more jobs and starts none; running ones may go on, then are cancelled so that they have ended by
   * the deadline (or CANCEL_GRACE_MS, where that is longer). Queued ones stay for the next start.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#phase = 'stopping';
    await this.#runner.stop(deadlineMs);
  }

  /** Restricts which kinds may start, as during boot; null lifts it. Others wait in the queue. */
  admit(kinds: readonly JobKind[] | null): void {
    this.#runner.admit(kinds);
  }

  /** @throws QUEUE_FULL; NOT_READY before start() and while stopping */
  submit(request: JobRequest): SubmittedJob {
    if (this.#phase !== 'open') {
      const state = this.#phase === 'new' ? 'the daemon is starting' : 'the daemon is stopping';
      throw cannot('NOT_READY', 'submit job', request.kind, state, { retryable: true });
    }
    const priority = request.priority ?? defaultPriority(request.kind, request.actor);
    const existing = this.#existingFor(request, priority);
    if (existing !== null) {
      if (request.alongside !== undefined) {
        this.#store.writeAlongside(existing.id, request.alongside);
      }
      return { ...existing, coalesced: true };
    }
    if (request.actor !== 'boot' && this.#store.queuedCount() >= QUEUED_JOBS_MAX) {
      throw cannot('QUEUE_FULL', 'submit job', request.kind, `${QUEUED_JOBS_MAX} are queued`, {
        hint: 'Wait for some to finish, or cancel them.',
        retryable: true,
      });
    }
    const job = this.#store.insert(
      {
        id: newId(Math.round(this.#clock.nowMs())),
        kind: request.kind,
        sourceId: request.sourceId ?? null,
        params: request.params,
        actor: request.actor,
        priority,
        mutating: request.mutating,
        deadlineMs: request.deadlineMs ?? null,
        coalesceKey: coalesceKeyOf(request),
        idempotencyKey: request.idempotencyKey ?? null,
        tick: request.tick ?? null,
      },
      request.alongside,
    );
    this.#events.emit({ type: 'job.changed', job });
    this.#runner.pump();
    return { ...this.get(job.id), coalesced: false };
  }

  #existingFor(request: JobRequest, priority: number): Job | null {
    if (typeof request.idempotencyKey === 'string') {
      const same = this.#store.findByIdempotencyKey(request.idempotencyKey);
      if (same !== null) return this.get(same.id);
    }
    const key = coalesceKeyOf(request);
    const queued = key === null ? null : this.#store.findQueued(key);
    if (queued === null || queued.priority >= priority) return queued;
    // Whoever asked last may be more important than whoever asked first.
    this.#store.raisePriority(queued.id, priority);
    const job = this.#store.require(queued.id);
    this.#events.emit({ type: 'job.changed', job });
    return job;
  }

  /** With the newest progress. @throws NOT_FOUND */
  get(id: string): Job {
    return this.#runner.find(id)?.job ?? this.#store.require(id);
  }

  /** Newest first. @throws INVALID_PARAMS for a strange cursor */
  list(filter: JobFilter = {}): JobPage {
    const page = this.#store.list(filter);
    return { ...page, items: page.items.map((job) => this.#runner.find(job.id)?.job ?? job) };
  }

  /** @throws NOT_FOUND */
  logs(id: string, options: { afterSeq?: number; limit?: number } = {}): LogPage {
    this.#runner.find(id)?.flushLog();
    return this.#logs.read(id, options);
  }

  /** Of the remembered jobs, by kind; of one source, or null for all. */
  statistics(sourceId: string | null): JobStatistics[] {
    return jobStatistics(this.#state, sourceId);
  }

  counts(): { queued: number; running: number } {
    return { queued: this.#store.queuedCount(), running: this.#runner.count };
  }

  /** The job when it has ended, or as it is after `timeoutMs`. @throws NOT_FOUND; the signal's reason */
  wait(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Job> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const job = this.get(id);
      if (isFinished(job.status)) {
        resolve(job);
        return;
      }
      const release = (): void => {
        unsubscribe();
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        release();
        reject(signal?.reason);
      };
      const unsubscribe = this.#events.subscribe((event) => {
        if (event.type !== 'job.changed' || event.job.id !== id) return;
        if (!isFinished(event.job.status)) return;
        release();
        resolve(event.job);
      });
      const timer = this.#clock.after(timeoutMs, () => {
        release();
        resolve(this.get(id));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * A queued job is cancelled when this returns; a running one is asked to stop, and killed after the grace:
   * it ends with a `job.changed`. Asking twice is the same as once.
   * @throws NOT_FOUND, JOB_FINISHED, NOT_CANCELLABLE (in the middle of a swap), NOT_READY before start()
   */
  cancel(id: string): Job {
    const running = this.#runner.find(id);
    if (running !== undefined) {
      if (!running.cancellable) {
        throw cannot('NOT_CANCELLABLE', 'cancel job', id, 'it is putting its result in place', {
          hint: 'It will have finished in a moment.',
        });
      }
      running.cancel();
      return running.job;
    }
    const job = this.#store.require(id);
    if (isFinished(job.status)) {
      throw cannot('JOB_FINISHED', 'cancel job', id, `it has ended: ${job.status}`);
    }
    if (job.status === 'running') {
      throw cannot('NOT_READY', 'cancel job', id, 'an earlier daemon ran it', { retryable: true });
    }
    const error = cannot('CANCELLED', 'run job', job.kind, 'it was cancelled before it started');
    const unrun = { result: null, warnings: 0, progress: null };
    const end: JobEnd = { ...unrun, status: 'cancelled', error: error.toDocument() };
    const ended = this.#store.finish(id, end);
    this.#events.emit({ type: 'job.changed', job: ended });
    return ended;
  }

  /** Returns the function that unsubscribes. Listeners are called at once and must not block. */
  onEvent(listener: JobListener): () => void {
    return this.#events.subscribe(listener);
  }

  /** Number of the newest event. */
  get eventSequence(): number {
    return this.#events.sequence;
  }
}
