import type { Job } from '../jobs/job.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';

export interface AftermathKeeperOptions {
  readonly queue: Pick<JobQueue, 'submit'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How jobs end whose worker had no chance to clean up. */
const KILLED: ReadonlySet<string> = new Set([
  'WORKER_CRASHED',
  'TIMEOUT',
  'LIMIT_EXCEEDED',
  'CANCELLED',
]);

/** How jobs end that may have been unable to clean up, because their disk did not let them. */
const DISK: ReadonlySet<string> = new Set(['IO_ERROR', 'NO_SPACE', 'INTERNAL', 'RECOVERY_FAILED']);

/** An export changes nothing that is protected, and yet leaves half a file where it is killed. */
const mayLeave = ({ mutating }: Job, code: string): boolean =>
  KILLED.has(code) || (mutating && DISK.has(code));

/** Until the disk lets what was left half done be finished. */
export const AFTERMATH_RETRY_MS = 30_000;

/** Bounds what is remembered; one reconcile finishes the swaps and the staging of all. */
const REMEMBERED_MAX = 256;

/**
 * Has what a job left half done finished: a swap rolled forward or back, staging and scratch removed. At once where
 * the worker was ended or its disk failed, and again until that works: an application must not have to wait for a
 * restart of the daemon to get its database back.
 */
export class AftermathKeeper implements Service {
  readonly name = 'aftermath';
  readonly #options: AftermathKeeperOptions;
  /** Jobs whose leftovers are still there. */
  readonly #left = new Set<string>();
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: AftermathKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** For every job that has ended. */
  note(job: Job): void {
    if (this.#stopped || job.startedAt === null) return;
    if (job.kind === 'reconcile') this.#noteReconcile(job);
    else if (job.error !== null && mayLeave(job, job.error.code)) this.#finish(job.id);
  }

  #noteReconcile({ id, params, error }: Job): void {
    const { afterJob = id } = params as { afterJob?: string };
    // One that was itself killed would be killed again; the next start does it.
    const isOver = error === null || !DISK.has(error.code) || params['dryRun'] === true;
    if (isOver) this.#left.delete(afterJob);
    else this.#later(afterJob);
  }

  #finish(jobId: string): void {
    try {
      this.#options.queue.submit({
        kind: 'reconcile',
        params: { afterJob: jobId },
        actor: 'boot',
        mutating: true,
        coalesceKey: null,
      });
    } catch (error) {
      this.#options.logger.warn({ jobId, error: messageOf(error) }, 'leftovers cannot be removed');
      this.#later(jobId);
    }
  }

  #later(jobId: string): void {
    if (this.#left.size < REMEMBERED_MAX) this.#left.add(jobId);
    if (this.#stopped || this.#timer !== null) return;
    this.#timer = this.#options.clock.after(AFTERMATH_RETRY_MS, () => this.#again(), {
      unref: true,
    });
  }

  #again(): void {
    this.#timer = null;
    for (const jobId of [...this.#left]) {
      this.#left.delete(jobId);
      this.#finish(jobId);
    }
  }
}
