import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import { interruption } from './interrupted-jobs.ts';
import type { Job } from './job.ts';
import type { JobEvents } from './job-events.ts';
import { JobLogBuffer } from './job-log-buffer.ts';
import type { JobLogStore } from './job-log-store.ts';
import type { JobEnd } from './job-store.ts';
import { ProgressTracker } from './progress-tracker.ts';
import type { FromWorker } from './worker-messages.ts';
import type { WorkerOutcome } from './worker-process.ts';

export interface RunningJobOptions {
  readonly job: Job;
  readonly logs: JobLogStore;
  readonly events: JobEvents;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the daemon holds of a job while its worker runs. */
export class RunningJob {
  readonly #abort = new AbortController();
  readonly #tracker: ProgressTracker;
  readonly #log: JobLogBuffer;
  #job: Job;
  #warnings = 0;
  #cancellable = true;
  #interrupted = false;

  constructor({ job, logs, events, clock, logger }: RunningJobOptions) {
    this.#job = job;
    this.#tracker = new ProgressTracker(clock, (progress) => {
      this.#job = { ...this.#job, progress };
      events.emit({ type: 'job.progress', jobId: job.id, progress });
    });
    this.#log = new JobLogBuffer({
      jobId: job.id,
      store: logs,
      clock,
      logger,
      onKept: (lines) => events.emit({ type: 'job.log', jobId: job.id, lines }),
    });
  }

  get id(): string {
    return this.#job.id;
  }

  get mutating(): boolean {
    return this.#job.mutating;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** False while the worker is in a section that it must leave by itself. */
  get cancellable(): boolean {
    return this.#cancellable;
  }

  /** The job as of now, newest progress and warnings included. */
  get job(): Job {
    return { ...this.#job, warnings: this.#warnings };
  }

  setWorkerPid(workerPid: number): void {
    this.#job = { ...this.#job, workerPid };
  }

  receive(message: FromWorker): void {
    if (message.type === 'progress') this.#tracker.report(message.counts);
    if (message.type === 'log') this.#log.add(message.stream, message.message);
    if (message.type === 'section') this.#cancellable = message.cancellable;
    if (message.type === 'warn') {
      this.#warnings += 1;
      this.#log.add('event', `warning: ${message.message}`);
    }
  }

  flushLog(): void {
    this.#log.flush();
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** Ends it because the daemon ends, which is not what its submitter asked for. */
  interrupt(): void {
    if (!this.#abort.signal.aborted) this.#interrupted = true;
    this.#abort.abort();
  }

  /** The last progress and log lines; then how the job is to be recorded. */
  end(outcome: WorkerOutcome): JobEnd {
    const { result, warnings } = outcome;
    const interrupted = this.#interrupted && outcome.status === 'cancelled';
    const status = interrupted ? 'failed' : outcome.status;
    const error =
      interrupted && outcome.error !== null
        ? interruption('the daemon was stopped before it had finished')
        : outcome.error;
    if (error !== null) this.#log.add('event', `${status}: ${error.message}`);
    const progress = this.#tracker.finish(status === 'succeeded');
    this.#log.close();
    return { status, result, error, warnings, progress };
  }
}
