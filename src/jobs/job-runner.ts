import { type Clock, sleep, type Timer } from '../kernel/clock.ts';
import { HoldfastError, messageOf, toErrorDocument } from '../kernel/errors.ts';
import { CANCEL_GRACE_MS } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Job, JobKind } from './job.ts';
import type { JobEvents } from './job-events.ts';
import type { JobLogStore } from './job-log-store.ts';
import type { JobEnd, JobStore } from './job-store.ts';
import { inTurn } from './job-turns.ts';
import { RunningJob } from './running-job.ts';
import type { FromWorker } from './worker-messages.ts';
import type { WorkerOutcome } from './worker-process.ts';

/** Jobs that change nothing and run beside the one that may. */
export const READING_JOBS_MAX = 2;
/** Until state.db can be written again. */
const RETRY_DELAY_MS = 1_000;
/** For the last worker to be reaped after it was killed. */
const STOP_MARGIN_MS = 2_000;

export interface RunHooks {
  /** Aborted when the job is to end early. */
  readonly signal: AbortSignal;
  readonly deadlineMs: number | null;
  readonly onStarted: (pid: number) => void;
  readonly onMessage: (message: FromWorker) => void;
}

export type RunJob = (job: Job, hooks: RunHooks) => Promise<WorkerOutcome>;

export interface JobRunnerOptions {
  readonly store: JobStore;
  readonly logs: JobLogStore;
  readonly events: JobEvents;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runJob: RunJob;
}

/** Starts queued jobs as places become free, and records how each one ended. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #running = new Map<string, RunningJob>();
  readonly #executions = new Set<Promise<void>>();
  readonly #abandon = new AbortController();
  #admitted: ReadonlySet<JobKind> | null = null;
  #open = false;
  #pumping = false;
  #retry: Timer | null = null;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  get count(): number {
    return this.#running.size;
  }

  find(id: string): RunningJob | undefined {
    return this.#running.get(id);
  }

  open(): void {
    this.#open = true;
    this.pump();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#open = false;
    this.#retry?.cancel();
    const settled = Promise.all(this.#executions).then(() => {});
    await beforeTimeout(this.#clock, settled, Math.max(0, deadlineMs - CANCEL_GRACE_MS));
    for (const running of this.#running.values()) running.interrupt();
    await beforeTimeout(this.#clock, settled, CANCEL_GRACE_MS + STOP_MARGIN_MS);
    // What is still there is recorded as interrupted by the next start.
    this.#abandon.abort();
  }

  admit(kinds: readonly JobKind[] | null): void {
    this.#admitted = kinds === null ? null : new Set(kinds);
    this.pump();
  }

  /** Starts what may start. */
  pump(): void {
    // Events reach listeners, and those may submit: that call's work is done by the loop that is running.
    if (!this.#open || this.#pumping) return;
    this.#pumping = true;
    try {
      for (let job = this.#next(); job !== undefined; job = this.#next()) this.#begin(job);
    } catch (error) {
      // Nobody to throw to: the queue may be pumped by a job's end. The jobs stay queued.
      this.#logger.error({ error: messageOf(error) }, 'Cannot start queued jobs');
      this.#retry?.cancel();
      this.#retry = this.#clock.after(RETRY_DELAY_MS, () => this.pump(), { unref: true });
    } finally {
      this.#pumping = false;
    }
  }

  #next(): Job | undefined {
    const running = [...this.#running.values()];
    const changing = running.filter(({ mutating }) => mutating).length;
    const reading = running.length - changing;
    return inTurn(this.#store.queued(), this.#clock.nowMs()).find(
      ({ kind, mutating }) =>
        this.#admitted?.has(kind) !== false &&
        (mutating ? changing === 0 : reading < READING_JOBS_MAX),
    );
  }

  #begin(queued: Job): void {
    const { logs, events, clock, logger } = this.#options;
    const job = this.#store.markRunning(queued.id);
    const running = new RunningJob({ job, logs, events, clock, logger });
    this.#running.set(job.id, running);
    events.emit({ type: 'job.changed', job });
    const execution = this.#execute(running);
    this.#executions.add(execution);
    execution.finally(() => this.#executions.delete(execution));
  }

  /** Never rejects. */
  async #execute(running: RunningJob): Promise<void> {
    const outcome = await this.#outcomeOf(running);
    const ended = await this.#record(running.id, running.end(outcome));
    this.#running.delete(running.id);
    if (ended !== null) this.#options.events.emit({ type: 'job.changed', job: ended });
    this.pump();
  }

  async #outcomeOf(running: RunningJob): Promise<WorkerOutcome> {
    try {
      return await this.#options.runJob(running.job, {
        signal: running.signal,
        deadlineMs: running.job.deadlineMs,
        onMessage: (message) => running.receive(message),
        onStarted: (pid) => {
          this.#store.setWorkerPid(running.id, pid);
          running.setWorkerPid(pid);
        },
      });
    } catch (error) {
      const warnings = running.job.warnings;
      return { status: 'failed', result: null, error: toErrorDocument(error), warnings };
    }
  }

  /** Until it is durable: a job that is not recorded as ended still counts as running. Null: it never will be. */
  async #record(id: string, end: JobEnd): Promise<Job | null> {
    while (!this.#abandon.signal.aborted) {
      try {
        return this.#store.finish(id, end);
      } catch (error) {
        this.#logger.error(
          { jobId: id, error: messageOf(error) },
          'Cannot record the end of a job',
        );
        // Our own refusal, unlike the disk's, does not pass with time.
        if (error instanceof HoldfastError) return null;
        await sleep(this.#clock, RETRY_DELAY_MS, this.#abandon.signal).catch(() => {});
      }
    }
    return null;
  }
}

/** Resolves when `work` has, or after `timeoutMs`. */
async function beforeTimeout(clock: Clock, work: Promise<void>, timeoutMs: number): Promise<void> {
  const stopWaiting = new AbortController();
  const waited = sleep(clock, timeoutMs, stopWaiting.signal).catch(() => {});
  await Promise.race([work, waited]);
  stopWaiting.abort();
}
