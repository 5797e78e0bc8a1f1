import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsHolder } from '../../config/live-settings.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import type { Job } from '../../jobs/job.ts';
import { JobQueue } from '../../jobs/job-queue.ts';
import type { ErrorDocument } from '../../kernel/errors.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { RetryRecords } from '../../state/retry-records.ts';
import { ScheduleFires } from '../../state/schedule-fires.ts';
import { ScheduleRecords } from '../../state/schedule-records.ts';
import { ScheduleSetRecords } from '../../state/schedule-set-records.ts';
import { openState, type StateDatabase } from '../../state/state-database.ts';
import { type AbandonedRetry, RetryKeeper } from '../retry-keeper.ts';
import type { SubmitTick } from '../schedule-request.ts';
import { type ScheduleAcknowledgement, ScheduleSet } from '../schedule-set.ts';
import { Scheduler } from '../scheduler.ts';
import { FakeClock } from './fake-clock.ts';
import { sourceSettings } from './source-settings.ts';

/** How jobs end: null succeeds; `run` decides anew for each one. */
type Outcome = ErrorDocument | null | Promise<ErrorDocument | null>;

/** Schedules and retries of a daemon on a real state.db and queue, with a clock of the test's own. */
export class ScheduleDesk {
  readonly clock: FakeClock;
  readonly live: SettingsHolder;
  readonly acknowledgements: ScheduleAcknowledgement[] = [];
  readonly abandoned: AbandonedRetry[] = [];
  /** Decides how a job ends. */
  run: (job: Job) => Outcome = () => null;
  /** What the queue says instead of taking a job. */
  refusal: Error | null = null;
  readonly #directory: string;
  state!: StateDatabase;
  queue!: JobQueue;
  set!: ScheduleSet;
  retries!: RetryKeeper;

  private constructor(directory: string, startMs: number, sources: readonly SourceSettings[]) {
    this.#directory = directory;
    this.clock = new FakeClock(startMs);
    this.live = new SettingsHolder(testSettings(directory, { sources }));
  }

  static async open(
    start: string,
    sources: readonly SourceSettings[] = [sourceSettings('/srv/app')],
  ): Promise<ScheduleDesk> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-schedules-'));
    const desk = new ScheduleDesk(directory, Date.parse(start), sources);
    await desk.startDaemon();
    return desk;
  }

  async startDaemon({ armed = true } = {}): Promise<void> {
    const { clock, live } = this;
    this.state = await openState(join(this.#directory, 'state.db'), { clock });
    // Nothing here is about power cuts.
    this.state.connection.pragma('synchronous = OFF');
    this.queue = new JobQueue({
      state: this.state,
      clock,
      logger: silentLogger,
      runJob: async (job) => {
        const error = await this.run(job);
        const status = error === null ? 'succeeded' : 'failed';
        return { status, result: {}, error, warnings: 0 };
      },
    });
    const submit: SubmitTick = (request) => {
      if (this.refusal !== null) throw this.refusal;
      return this.queue.submit({ ...request, mutating: true } as Parameters<JobQueue['submit']>[0]);
    };
    const shared = { clock, logger: silentLogger, live, submit };
    this.set = new ScheduleSet({
      ...shared,
      records: new ScheduleSetRecords(this.state),
      scheduler: new Scheduler({
        ...shared,
        store: new ScheduleRecords(this.state),
        fires: new ScheduleFires(this.state),
        isUnderWay: (id) => ['queued', 'running'].includes(this.queue.get(id).status),
      }),
      onApplied: (acknowledgement) => this.acknowledgements.push(acknowledgement),
    });
    this.retries = new RetryKeeper({
      ...shared,
      records: new RetryRecords(this.state),
      scheduleSet: this.set,
      onAbandoned: (abandoned) => this.abandoned.push(abandoned),
    });
    this.queue.onEvent((event) => {
      if (event.type === 'job.changed') this.retries.noteEnd(event.job);
    });
    await this.queue.start();
    if (!armed) return;
    await this.set.start();
    await this.retries.start();
    await this.clock.advance(0);
  }

  async stopDaemon(): Promise<void> {
    await this.retries.stop();
    await this.set.stop();
    await this.queue.stop(0);
    this.state.close();
  }

  /** @param downMs how long the daemon is not there */
  async restart(downMs = 0): Promise<void> {
    await this.stopDaemon();
    this.clock.setWall(this.clock.nowMs() + downMs);
    await this.startDaemon();
  }

  /** The oldest first. */
  jobs(): Job[] {
    return this.queue.list({ limit: 500 }).items.reverse();
  }

  /** `MM-DDTHH:MM` of each tick that became a job. */
  ticks(): string[] {
    return this.jobs().map(({ scheduledAt }) => scheduledAt!.slice(5, 16));
  }

  nextDue(scheduleId: string, sourceId = 'app'): string | null {
    const dueAt = new ScheduleRecords(this.state).get(sourceId, scheduleId)?.nextDueAt ?? null;
    return dueAt === null ? null : new Date(dueAt).toISOString();
  }

  async remove(): Promise<void> {
    await this.stopDaemon();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
