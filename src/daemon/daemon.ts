import { join } from 'node:path';
import { createApi } from '../api/api.ts';
import { EventHub } from '../api/event-hub.ts';
import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import { rememberSettings } from '../config/remembered-settings.ts';
import type { Settings } from '../config/settings.ts';
import { makeDirectory, writeFileDurably } from '../files/durable.ts';
import type { ExclusiveLock } from '../files/exclusive-lock.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { repositoryProbe, stateProbe } from '../health/probes.ts';
import type { Notifier } from '../host/notifier.ts';
import { createWatchdog } from '../host/watchdog.ts';
import { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { acquireInstanceLock } from '../operations/instance-lock.ts';
import { ownPaths } from '../operations/operation.ts';
import { TOOL_VERSION } from '../operations/version.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import { markCleanShutdown } from '../recovery/clean-shutdown.ts';
import { RpcServer } from '../rpc/server.ts';
import { BaselineRecords } from '../state/baseline-records.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import type { TriggerRequest } from '../triggers/trigger-request.ts';
import { Triggers } from '../triggers/triggers.ts';
import { BOOT_KINDS, bootJobs } from './boot.ts';
import { BootProgress } from './boot-progress.ts';
import { JobEffects } from './job-effects.ts';
import { RepositoryView } from './repository-view.ts';
import { runInWorker } from './run-job.ts';
import { scheduleStates } from './schedule-states.ts';
import { SourceStates } from './source-states.ts';

export interface DaemonOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notifier: Notifier;
  /** A client asked for it over the socket. */
  readonly onShutdownRequested: () => void;
}

/** The service manager is asked for this much more time again and again while boot goes on. */
const BOOT_EXTENSION_MS = 60_000;
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
    const { settings, logger, notifier } = options;
    this.#repository = new RepositoryView(settings.repositoryDirectory, logger);
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
    await makeDirectory(settings.stateDirectory);
    this.#lock = await acquireInstanceLock(
      settings.stateDirectory,
      'daemon',
      clock,
      this.#abort.signal,
    );
    const state = await openState(join(settings.stateDirectory, 'state.db'), { clock });
    this.#state = state;
    await rememberSettings(settings, writeFileDurably);
    const queue = new JobQueue({
      state,
      clock,
      logger,
      runJob: runInWorker(settings, clock, logger),
    });
    queue.admit(BOOT_KINDS);
    const triggers = this.#createTriggers(state, queue);
    this.#effects = this.#createEffects(state);
    queue.onEvent((event) => {
      this.#events.publishJobEvent(event);
      this.#effects?.receive(event);
    });
    await this.#startService(createWatchdog({ notifier, clock, environment: process.env }));
    // Before the queue, so that at the end clients still hear how their jobs ended.
    await this.#startApi(state, queue);
    await this.#startService(queue);
    await this.#boot(queue, triggers);
  }

  async #boot(queue: JobQueue, triggers: Triggers): Promise<void> {
    const { settings, clock, logger, notifier } = this.#options;
    const extension = this.#keepExtendingTimeout();
    try {
      await bootJobs({
        settings,
        queue,
        clock,
        logger,
        progress: this.#progress,
        repository: this.#repository,
        sources: this.#sources,
        signal: this.#abort.signal,
      });
      this.#progress.enter('triggers');
      await this.#startService(triggers);
      this.#triggers = triggers;
      this.#sources.watchedBy(triggers);
    } finally {
      extension.stop();
    }
    if (this.#abort.signal.aborted) return;
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

  #createTriggers(state: StateDatabase, queue: JobQueue): Triggers {
    const { settings, clock, logger } = this.#options;
    const mutating: Record<TriggerRequest['kind'], boolean> = {
      backup: true,
      check: false,
      verify: false,
    };
    return new Triggers({
      settings,
      clock,
      logger,
      baselines: new BaselineRecords(state),
      schedules: new ScheduleRecords(state),
      forbiddenPaths: ownPaths(settings),
      fingerprint: sourceFingerprint,
      enqueue: (request) =>
        queue.submit({
          ...request,
          mutating: mutating[request.kind],
          deadlineMs: request.kind === 'backup' ? settings.worker.backupDeadlineMs : null,
        }),
    });
  }

  #createEffects(state: StateDatabase): JobEffects {
    const { settings, logger } = this.#options;
    return new JobEffects({
      settings,
      logger,
      baselines: new BaselineRecords(state),
      repository: this.#repository,
      sources: this.#sources,
      triggers: () => this.#triggers,
      onSourceChanged: (sourceId) => this.#publishSource(sourceId),
    });
  }

  #publishSource(sourceId: string): void {
    const source = this.#options.settings.sources.find(({ id }) => id === sourceId);
    if (source === undefined) return;
    const { id, name, roots } = source;
    const facts = this.#sources.facts(id);
    this.#events.publish({ type: 'source.changed', source: { id, name, roots, ...facts } });
  }

  async #startApi(state: StateDatabase, queue: JobQueue): Promise<void> {
    const { settings, clock, logger, onShutdownRequested } = this.#options;
    const started = { startedAtMs: clock.nowMs(), startedMonotonicMs: clock.monotonicMs() };
    const records = new ScheduleRecords(state);
    const boot = () => {
      const { ready, phase, progress } = this.#progress;
      return { ready, phase, progress };
    };
    const schedules = () => scheduleStates(settings, records);
    const warnings = () => this.#warnings(state);
    const health = new HealthMonitor({
      settings,
      clock,
      startedMonotonicMs: started.startedMonotonicMs,
      probes: [stateProbe(state, clock), repositoryProbe(settings.repositoryDirectory)],
      boot,
      sourceFacts: (sourceId) => this.#sources.facts(sourceId),
      schedules,
      warnings,
    });
    await this.#startService(health);
    const api = createApi({
      settings,
      clock,
      logger,
      version: TOOL_VERSION,
      ...started,
      jobs: queue,
      health,
      events: this.#events,
      openReader: () => this.#repository.reader(),
      boot,
      sourceFacts: (sourceId) => this.#sources.facts(sourceId),
      schedules,
      repositoryStatistics: () => this.#repository.statistics,
      lastRecovery: () => this.#sources.lastRecovery,
      warnings,
      requestShutdown: onShutdownRequested,
    });
    const { socketPath, socketGroup } = settings;
    await this.#startService(new RpcServer({ ...api, socketPath, socketGroup, clock, logger }));
  }

  #warnings(state: StateDatabase): StatusWarning[] {
    const { settings } = this.#options;
    const warnings: StatusWarning[] = settings.sources
      .filter(({ id }) => this.#sources.facts(id).needsOperator)
      .map(({ id, name }) => ({
        code: 'NEEDS_OPERATOR',
        message: `A database of ${name} waits for a person: holdfast status shows which`,
        sourceId: id,
      }));
    if (state.rebuiltFrom !== null) {
      warnings.push({
        code: 'STATE_REBUILT',
        message: `state.db was damaged and begun anew; the damaged one is kept: ${state.rebuiltFrom}`,
        sourceId: null,
      });
    }
    return warnings;
  }

  #keepExtendingTimeout(): { stop(): void } {
    const { clock, notifier } = this.#options;
    const extend = (): void => {
      void notifier.extendTimeout(BOOT_EXTENSION_MS);
      timer = clock.after(BOOT_EXTENSION_MS / 2, extend, { unref: true });
    };
    let timer = clock.after(0, extend, { unref: true });
    return { stop: () => timer.cancel() };
  }
}
