import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { openState, type StateDatabase } from '../../state/state-database.ts';
import type { Job } from '../job.ts';
import type { JobEvent } from '../job-events.ts';
import { JobQueue } from '../job-queue.ts';
import type { JobRequest, SubmittedJob } from '../job-request.ts';
import type { RunHooks } from '../job-runner.ts';
import type { WorkerOutcome } from '../worker-process.ts';
import { ManualClock } from './manual-clock.ts';

/** A job whose worker is the test: it ends when the test says so. */
export interface HeldJob {
  readonly job: Job;
  readonly hooks: RunHooks;
  end(outcome?: Partial<WorkerOutcome>): Promise<void>;
}

export const SUCCESS: WorkerOutcome = {
  status: 'succeeded',
  result: { ok: true },
  error: null,
  warnings: 0,
};

/** A queue on a real state.db whose jobs are held by the test; can be crashed and started again. */
export class QueueFixture {
  readonly clock = new ManualClock();
  readonly held = new Map<string, HeldJob>();
  readonly events: JobEvent[] = [];
  readonly directory: string;
  state!: StateDatabase;
  queue!: JobQueue;
  #serial = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<QueueFixture> {
    const fixture = new QueueFixture(await mkdtemp(join(tmpdir(), 'holdfast-queue-')));
    await fixture.open();
    return fixture;
  }

  /** A new daemon on the same state. */
  async open(clock: Clock = this.clock): Promise<void> {
    this.state = await openState(join(this.directory, 'state.db'), { clock });
    this.held.clear();
    this.queue = new JobQueue({
      state: this.state,
      clock,
      logger: silentLogger,
      runJob: (job, hooks) => this.#hold(job, hooks),
    });
    this.queue.onEvent((event) => this.events.push(event));
    await this.queue.start();
  }

  /** A request like no other, unless told. */
  submit(request: Partial<JobRequest> = {}): SubmittedJob {
    this.#serial += 1;
    const params = { serial: this.#serial };
    return this.queue.submit({ kind: 'check', params, actor: 'user', mutating: true, ...request });
  }

  #hold(job: Job, hooks: RunHooks): Promise<WorkerOutcome> {
    return new Promise((resolve) => {
      this.held.set(job.id, {
        job,
        hooks,
        end: async (outcome = {}) => {
          this.held.delete(job.id);
          resolve({ ...SUCCESS, ...outcome });
          await settle();
        },
      });
    });
  }

  /** The daemon is gone without a word: its later writes fail. */
  async crash(): Promise<void> {
    this.state.close();
    await this.open();
  }

  async remove(): Promise<void> {
    this.state.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Lets everything that is due happen. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
