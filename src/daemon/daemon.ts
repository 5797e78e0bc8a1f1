import { join } from 'node:path';
import { EventHub } from '../api/event-hub.ts';
import { rememberSettings } from '../config/remembered-settings.ts';
import type { Settings } from '../config/settings.ts';
import { makeDirectory, writeFileDurably } from '../files/durable.ts';
import type { ExclusiveLock } from '../files/exclusive-lock.ts';
import type { Notifier } from '../host/notifier.ts';
import { createWatchdog } from '../host/watchdog.ts';
import type { Job } from '../jobs/job.ts';
import { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { acquireInstanceLock } from '../operations/instance-lock.ts';
import { TOOL_VERSION } from '../operations/version.ts';
import { markCleanShutdown } from '../recovery/clean-shutdown.ts';
import { BaselineRecords } from '../state/baseline-records.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import type { Triggers } from '../triggers/triggers.ts';
import { BOOT_KINDS, bootJobs } from './boot.ts';
import { BootProgress } from './boot-progress.ts';
import { createApiServices } from './create-api-services.ts';
import { createTriggers } from './create-triggers.ts';
import { keepExtendingTimeout } from './extend-timeout.ts';
import { JobEffects } from './job-effects.ts';
import { QuarantineKeeper } from './quarantine-keeper.ts';
import { RepositoryView } from './repository-view.ts';
import { runInWorker } from './run-job.ts';
import { scheduleStates } from './schedule-states.ts';
import { SourceStates } from './source-states.ts';
import { statusWarnings } from './status-warnings.ts';

export interface DaemonOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notifier: Notifier;
  /** A client asked for it over the socket. */
  readonly onShutdownRequested: () => void;
}

/** Left to a service that stops after the deadline was used up. */
const SERVICE_STOP_MS_MIN = 1_000;

/** All parts of the daemon, put together and started in the order of boot; stopped in the reverse. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #progress: BootProgress;
  readonly #events = new EventHub();
  readonly #repository: RepositoryView;
  readonly #sources: SourceStates;
  readonly #abort = new AbortController();
  /** Started so far, in this order. */
  readonly #services: Service[] = [];
  #lock: ExclusiveLock | null = null;
  #state: StateDatabase | null = null;
  #triggers: Triggers | null = null;
  #effects: JobEffects | null = null;

  constructor(options: DaemonOptions) {
    this.#options = options;
    const { settings, clock, logger, notifier } = options;
    this.#repository = new RepositoryView(settings.repositoryDirectory, clock, logger);
    this.#sources = new SourceStates(this.#repository);
    this.#progress = new BootProgress((bootPhase) => {
      logger.info({ bootPhase }, 'boot');
      void notifier.status(bootPhase);
      this.#events.publish({ type: 'daemon.changed', ready: bootPhase === 'ready', bootPhase });
    });
  }

  /**
   * Resolves when the daemon is ready, or was asked to stop before it was.
   * @throws INSTANCE_LOCKED, CONFIG_INVALID (socket), IN_USE, UNSUPPORTED_FORMAT, IO_ERROR, NO_SPACE
   */
  async start(): Promise<void> {
    const { settings, clock, logger, notifier } = this.#options;
    const { stateDirectory } = settings;
    await makeDirectory(stateDirectory);
    const { signal } = this.#abort;
    this.#lock = await acquireInstanceLock(stateDirectory, 'daemon', clock, signal);
    const state = await openState(join(stateDirectory, 'state.db'), { clock });
    this.#state = state;
    await rememberSettings(settings, writeFileDurably);
    const runJob = runInWorker(settings, clock, logger);
    const queue = new JobQueue({ state, clock, logger, runJob });
    queue.admit(BOOT_KINDS);
    const effects = this.#createEffects(state, queue);
    this.#effects = effects;
    queue.onEvent((event) => {
      this.#events.publishJobEvent(event);
      effects.receive(event);
    });
    await this.#startService(createWatchdog({ notifier, clock, environment: process.env }));
    // Before the queue, so that at the end clients still hear how their jobs ended.
    await this.#startApi(state, queue);
    await this.#startService(queue);
    await this.#boot(state, queue, effects);
  }

  async #boot(state: StateDatabase, queue: JobQueue, effects: JobEffects): Promise<void> {
    const { settings, clock, logger, notifier } = this.#options;
    const shared = { settings, clock, logger, queue, sources: this.#sources };
    const extension = keepExtendingTimeout(notifier, clock);
    try {
      await bootJobs({
        ...shared,
        effects,
        progress: this.#progress,
        repository: this.#repository,
        signal: this.#abort.signal,
      });
      this.#progress.enter('triggers');
      const triggers = createTriggers({ ...shared, state });
      await this.#startService(triggers);
      this.#triggers = triggers;
      this.#sources.watchedBy(triggers);
    } finally {
      extension.stop();
    }
    if (this.#abort.signal.aborted) return;
    await this.#startService(new QuarantineKeeper({ settings, clock, logger }));
    queue.admit(null);
    this.#progress.enter('ready');
    const names = settings.sources.map(({ name }) => name);
    await notifier.ready(`protecting ${names.join(', ') || 'nothing yet'}`);
    logger.info({ sources: names, socketPath: settings.socketPath }, 'ready');
  }

  /** Takes no more work, finishes or cancels what runs by the deadline, and lets go of everything. */
  async stop(deadlineMs: number): Promise<void> {
    const { settings, clock, notifier } = this.#options;
    this.#abort.abort();
    if (this.#lock === null) return;
    this.#progress.enter('stopping');
    await notifier.stopping();
    const stopByMs = clock.monotonicMs() + deadlineMs;
    for (const service of this.#services.splice(0).reverse()) {
      await service.stop(Math.max(SERVICE_STOP_MS_MIN, stopByMs - clock.monotonicMs()));
    }
    await this.#effects?.settled();
    await this.#repository.close();
    await markCleanShutdown(settings.stateDirectory, clock);
    this.#state?.close();
    this.#lock.release();
    this.#lock = null;
  }

  async #startService(service: Service): Promise<void> {
    await service.start();
    this.#services.push(service);
  }

  async #startApi(state: StateDatabase, queue: JobQueue): Promise<void> {
    const { settings, clock, logger, onShutdownRequested } = this.#options;
    const records = new ScheduleRecords(state);
    const services = createApiServices(
      {
        settings,
        clock,
        logger,
        version: TOOL_VERSION,
        startedAtMs: clock.nowMs(),
        startedMonotonicMs: clock.monotonicMs(),
        jobs: queue,
        events: this.#events,
        openReader: () => this.#repository.reader(),
        boot: () => {
          const { ready, phase, progress } = this.#progress;
          return { ready, phase, progress };
        },
        sourceFacts: (sourceId) => this.#sources.facts(sourceId),
        schedules: () => scheduleStates(settings, records),
        repositoryStatistics: () => this.#repository.statistics,
        lastRecovery: () => this.#sources.lastRecovery,
        warnings: () => statusWarnings(settings, this.#sources, state),
        requestShutdown: onShutdownRequested,
      },
      state,
    );
    for (const service of services) await this.#startService(service);
  }

  #createEffects(state: StateDatabase, queue: JobQueue): JobEffects {
    const { settings, logger } = this.#options;
    return new JobEffects({
      settings,
      logger,
      baselines: new BaselineRecords(state),
      repository: this.#repository,
      sources: this.#sources,
      triggers: () => this.#triggers,
      onWorkerKilled: (job) => this.#finishAfter(job, queue),
      onSourceChanged: (sourceId) => this.#publishSource(sourceId),
    });
  }

  #finishAfter(job: Job, queue: JobQueue): void {
    // One that was itself killed would be killed again; the next start does it.
    if (job.kind === 'reconcile' || job.startedAt === null || this.#abort.signal.aborted) return;
    queue.submit({
      kind: 'reconcile',
      params: { afterJob: job.id },
      actor: 'boot',
      mutating: true,
      coalesceKey: null,
    });
  }

  #publishSource(sourceId: string): void {
    const source = this.#options.settings.sources.find(({ id }) => id === sourceId);
    if (source === undefined) return;
    const { id, name, roots } = source;
    const facts = this.#sources.facts(id);
    this.#events.publish({ type: 'source.changed', source: { id, name, roots, ...facts } });
  }
}
