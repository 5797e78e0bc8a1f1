import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Job, JobLogLine, JobProgress } from './job.ts';

/**
 * What subscribers hear. `sequence` rises by one from event to event while the daemon runs, so a missing number
 * is a gap: read the job and its log (by `seq`) again. Per job: `running`, then log and progress in any order,
 * then the terminal `job.changed`, then nothing.
 */
export type JobEvent = { readonly sequence: number } & JobEventBody;

export type JobEventBody =
  | { readonly type: 'job.changed'; readonly job: Job }
  | { readonly type: 'job.progress'; readonly jobId: string; readonly progress: JobProgress }
  | { readonly type: 'job.log'; readonly jobId: string; readonly lines: readonly JobLogLine[] };

export type JobListener = (event: JobEvent) => void;

export class JobEvents {
  readonly #listeners = new Set<JobListener>();
  readonly #logger: Logger;
  readonly #pending: JobEvent[] = [];
  #sequence = 0;
  #delivering = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Number of the newest event; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  subscribe(listener: JobListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(body: JobEventBody): void {
    this.#sequence += 1;
    this.#pending.push({ ...body, sequence: this.#sequence });
    // A listener that causes an event must not make others hear it before the one it answers.
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let event = this.#pending.shift(); event !== undefined; event = this.#pending.shift()) {
        for (const listener of [...this.#listeners]) this.#deliver(listener, event);
      }
    } finally {
      this.#delivering = false;
    }
  }

  #deliver(listener: JobListener, event: JobEvent): void {
    try {
      listener(event);
    } catch (error) {
      // A subscriber's fault must not become the job's, nor other subscribers'.
      this.#logger.error({ error: messageOf(error), event: event.type }, 'A job listener failed');
    }
  }
}
