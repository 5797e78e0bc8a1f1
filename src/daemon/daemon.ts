import { join } from 'node:path';
import { EventHub } from '../api/event-hub.ts';
import { SettingsHolder } from '../config/live-settings.ts';
import type { ResolveRequest } from '../config/resolve-settings.ts';
import type { Settings } from '../config/settings.ts';
import { makeDirectory, writeFileDurably } from '../files/durable.ts';
import type { ExclusiveLock } from '../files/exclusive-lock.ts';
import type { AlertBook } from '../health/alert-book.ts';
import type { HealthMonitor } from '../health/health-monitor.ts';
import type { Notifier } from '../host/notifier.ts';
import { createWatchdog } from '../host/watchdog.ts';
import type { HistoryBounds } from '../jobs/job-pruning.ts';
import { JobQueue } from '../jobs/job-queue.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { acquireInstanceLock } from '../operations/instance-lock.ts';
import { seenHead } from '../operations/seen-heads.ts';
import { TOOL_VERSION } from '../operations/version.ts';
import type { ScheduleState } from '../protocol/method-map.ts';
import {
  type CleanShutdown,
  markCleanShutdown,
  useCleanShutdown,
} from '../recovery/clean-shutdown.ts';
import { BaselineRecords } from '../state/baseline-records.ts';
import { FlagRecords } from '../state/flag-records.ts';
import { SecretStore } from '../state/secret-store.ts';
import { SettingsRecords } from '../state/settings-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import type { HeadMark, KeyMaterial } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import type { Triggers } from '../triggers/triggers.ts';
import { AftermathKeeper } from './aftermath-keeper.ts';
import { BOOT_KINDS, bootJobs } from './boot.ts';
import { BootProgress } from './boot-progress.ts';
import { CapturedSnapshots } from './captured-snapshots.ts';
import { createApiServices } from './create-api-services.ts';
import { createOversight, type Oversight } from './create-oversight.ts';
import { createSchedules, type ScheduleServices } from './create-schedules.ts';
import { createTriggers } from './create-triggers.ts';
import { keepExtendingTimeout } from './extend-timeout.ts';
import { JobEffects } from './job-effects.ts';
import { KeyHolder } from './key-holder.ts';
import { MemoryKeeper } from './memory-keeper.ts';
import { QuarantineKeeper } from './quarantine-keeper.ts';
import { QuietBoot } from './quiet-boot.ts';
import {
  ALTERATION_KINDS,
  alterationAlerts,
  alterationWarnings,
} from './repository-alterations.ts';
import { RepositoryMemory } from './repository-memory.ts';
import { RepositoryView } from './repository-view.ts';
import { RetentionKeeper } from './retention-keeper.ts';
import { runInWorker } from './run-job.ts';
import { SettingsKeeper } from './settings-keeper.ts';
import { SourceStates } from './source-states.ts';
import { StagedRestores } from './staged-restores.ts';
import { bootstrapWarnings, SCHEDULES_PAUSED, statusWarnings } from './status-warnings.ts';
import { UnchangedSources } from './unchanged-sources.ts';

export interface DaemonOptions {
  /** As the configuration has them; what was changed over the socket is laid over it. */
  readonly settings: Settings;
  readonly request: ResolveRequest;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly setLogLevel: (level: Settings['logLevel']) => void;
  readonly notifier: Notifier;
  /** A client asked for it over the socket. */
  readonly onShutdownRequested: () => void;
  readonly onRestartRequested: () => void;
}

/** Left to a service that stops after the deadline was used up. */
const SERVICE_STOP_MS_MIN = 1_000;

/** All parts of the daemon, put together and started in the order of boot; stopped in the reverse. */
export class Daemon {
  readonly #options: DaemonOptions;
  /** What was started with, and what was changed since. */
  readonly #live: SettingsHolder;
  readonly #progress: BootProgress;
  readonly #events = new EventHub();
  readonly #keys: KeyHolder;
  readonly #repository: RepositoryView;
  readonly #sources: SourceStates;
  readonly #abort = new AbortController();
  /** Started so far, in this order. */
  readonly #services: Service[] = [];
  #lock: ExclusiveLock | null = null;
  #state: StateDatabase | null = null;
  #triggers: Triggers | null = null;
  #effects: JobEffects | null = null;
  #staged: StagedRestores | null = null;
  #retention: RetentionKeeper | null = null;
  #health: HealthMonitor | null = null;

  constructor(options: DaemonOptions) {
    this.#options = options;
    const { settings, clock, logger, notifier } = options;
    this.#live = new SettingsHolder(settings);
    this.#keys = new KeyHolder(settings);
    const key = (): Promise<KeyMaterial | null> => this.#keys.key();
    const seen = (): Promise<HeadMark | null> => seenHead(settings);
    this.#repository = new RepositoryView(settings.repositoryDirectory, clock, logger, key, seen);
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
    const keeper = await this.#openSettings(state);
    await this.#openKey();
    const runJob = this.#runJob(state, await useCleanShutdown(stateDirectory));
    const historyBounds = (): HistoryBounds => {
      const { keptCount, logBytesMax } = this.#live.current.jobs;
      return { jobs: keptCount, logBytes: logBytesMax };
    };
    const queue = new JobQueue({ state, clock, logger, runJob, historyBounds });
    queue.admit(BOOT_KINDS);
    const effects = this.#createEffects(state, queue, () => oversight.alerts);
    this.#effects = effects;
    const oversight = this.#createOversight(state, () => schedules.states());
    const schedules = createSchedules({
      live: this.#live,
      clock,
      logger,
      state,
      queue,
      sources: this.#sources,
      publish: (event) => oversight.publish(event),
    });
    queue.onEvent((event) => {
      this.#events.publishJobEvent(event);
      effects.receive(event);
      schedules.receive(event);
      oversight.receive(event);
    });
    await this.#startService(createWatchdog({ notifier, clock, environment: process.env }));
    // Before the queue, so that at the end clients still hear how their jobs ended.
    await this.#startApi(state, queue, keeper, schedules, oversight);
    await this.#startService(oversight.heartbeat);
    await this.#startService(queue);
    await this.#boot(state, queue, effects, schedules);
    if (!signal.aborted) await this.#startService(oversight.keeper);
  }

  /** In a worker, unless it is known already what that would find. */
  #runJob(state: StateDatabase, shutdown: CleanShutdown | null): RunJob {
    const { clock, logger } = this.#options;
    const captured = new CapturedSnapshots(new FlagRecords(state));
    const known = { live: this.#live, repository: this.#repository, captured };
    const unchanged = new UnchangedSources({ ...known, clock, sources: this.#sources });
    const quiet = new QuietBoot({ ...known, shutdown });
    return quiet.around(unchanged.around(runInWorker(this.#live, clock, logger, this.#keys)));
  }

  /** A daemon without the key of its repository still looks after the databases. */
  async #openKey(): Promise<void> {
    await this.#keys.open();
    for (const { code, message } of this.#keys.warnings) {
      this.#options.logger.error({ code }, message);
    }
  }

  async #boot(
    state: StateDatabase,
    queue: JobQueue,
    effects: JobEffects,
    schedules: ScheduleServices,
  ): Promise<void> {
    const { clock, logger, notifier } = this.#options;
    const live = this.#live;
    const shared = { live, clock, logger, queue, sources: this.#sources };
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
      // Known before it has started, so that a change of settings meanwhile reaches it.
      this.#triggers = triggers;
      await this.#startService(schedules.set);
      await this.#startService(schedules.retries);
      await this.#startService(triggers);
      this.#sources.watchedBy(triggers);
    } finally {
      extension.stop();
    }
    if (this.#abort.signal.aborted) return;
    const staged = new StagedRestores({ live, queue, clock, logger });
    await this.#startService(staged);
    this.#staged = staged;
    await this.#startService(new QuarantineKeeper({ live, clock, logger }));
    const memory = new MemoryKeeper({ clock, logger, busyCount: () => busyCount(queue) });
    queue.onEvent((event) => memory.receive(event));
    await this.#startService(memory);
    queue.admit(null);
    this.#progress.enter('ready');
    const settings = live.current;
    const names = settings.sources.map(({ name }) => name);
    await notifier.ready(`protecting ${names.join(', ') || 'nothing yet'}`);
    logger.info({ sources: names, socketPath: settings.socketPath }, 'ready');
    await this.#retention?.atStart();
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
      await this.#whatever(service.name, () =>
        service.stop(Math.max(SERVICE_STOP_MS_MIN, stopByMs - clock.monotonicMs())),
      );
    }
    await this.#effects?.settled();
    await this.#whatever('repository', () => this.#repository.close());
    // Without the mark the next start checks more.
    await this.#whatever('mark of a clean shutdown', () =>
      markCleanShutdown(settings.stateDirectory, clock),
    );
    await this.#whatever('state.db', async () => this.#state?.close());
    this.#lock.release();
    this.#lock = null;
  }

  /** One part that cannot stop as it should, as where its disk fails, must not keep the others. */
  async #whatever(part: string, stop: () => Promise<void>): Promise<void> {
    try {
      await stop();
    } catch (error) {
      this.#options.logger.error({ part, error: messageOf(error) }, 'cannot stop cleanly');
    }
  }

  async #startService(service: Service): Promise<void> {
    await service.start();
    this.#services.push(service);
  }

  async #openSettings(state: StateDatabase): Promise<SettingsKeeper> {
    const { request, clock, setLogLevel } = this.#options;
    const keeper = new SettingsKeeper({
      request,
      live: this.#live,
      records: new SettingsRecords(state),
      clock,
      write: writeFileDurably,
    });
    this.#live.onChange(async (now, before) => {
      setLogLevel(now.logLevel);
      await this.#triggers?.apply(now);
      const changed = now.sources.filter((source) => !before.sources.includes(source));
      this.#events.publish({ type: 'settings.changed', version: keeper.version });
      for (const { id } of changed) this.#publishSource(id);
    });
    await keeper.open();
    return keeper;
  }

  async #startApi(
    state: StateDatabase,
    queue: JobQueue,
    configuration: SettingsKeeper,
    schedules: ScheduleServices,
    { alerts, audit, heartbeat }: Oversight,
  ): Promise<void> {
    const { clock, logger, onShutdownRequested, onRestartRequested } = this.#options;
    const live = this.#live;
    const { health, services } = createApiServices(
      {
        live,
        configuration,
        secrets: new SecretStore(live.current.stateDirectory),
        clock,
        logger,
        version: TOOL_VERSION,
        startedAtMs: clock.nowMs(),
        startedMonotonicMs: clock.monotonicMs(),
        jobs: queue,
        events: this.#events,
        alerts,
        audit,
        previousRun: heartbeat.previousRun,
        openReader: () => this.#repository.reader(),
        boot: () => {
          const { ready, phase, progress } = this.#progress;
          return { ready, phase, progress };
        },
        sourceFacts: (sourceId) => this.#sources.facts(sourceId),
        schedules: () => schedules.states(),
        scheduleSet: schedules.set,
        retries: schedules.retries,
        repositoryStatistics: () => this.#repository.statistics,
        lastRecovery: () => this.#sources.lastRecovery,
        warnings: () => [
          ...statusWarnings(live.current, this.#sources, state, configuration.setAside),
          ...bootstrapWarnings(this.#progress.bootstrapFailures),
          ...this.#keys.warnings,
          ...alterationWarnings(this.#repository.alterations),
          ...(this.#staged?.warnings() ?? []),
          ...(schedules.set.record.paused.all ? [SCHEDULES_PAUSED] : []),
        ],
        requestShutdown: onShutdownRequested,
        requestRestart: onRestartRequested,
      },
      state,
    );
    this.#health = health;
    for (const service of services) await this.#startService(service);
  }

  #createOversight(state: StateDatabase, schedules: () => readonly ScheduleState[]): Oversight {
    const { clock, logger } = this.#options;
    return createOversight({
      state,
      live: this.#live,
      clock,
      logger,
      report: () => this.#health!.report(),
      sourceFacts: (sourceId) => this.#sources.facts(sourceId),
      schedules,
      publish: (event) => this.#events.publish(event),
    });
  }

  #createEffects(state: StateDatabase, queue: JobQueue, alerts: () => AlertBook): JobEffects {
    const { clock, logger } = this.#options;
    const live = this.#live;
    const openReader = (): Promise<StoreReader> => this.#repository.reader();
    const retention = new RetentionKeeper({ live, clock, logger, queue, openReader });
    this.#retention = retention;
    const aftermath = new AftermathKeeper({ queue, clock, logger });
    this.#services.push(aftermath);
    return new JobEffects({
      live,
      logger,
      baselines: new BaselineRecords(state),
      repository: this.#repository,
      memory: new RepositoryMemory(new FlagRecords(state), (alert) => alerts().raise(alert)),
      sources: this.#sources,
      triggers: () => this.#triggers,
      onEnded: (job) => aftermath.note(job),
      onGoodBackup: (sourceId, actor) => retention.afterGoodBackup(sourceId, actor),
      onConverted: async () => {
        this.#keys.forget();
        await this.#repository.close();
        await this.#openKey();
      },
      onLooked: () =>
        alerts().observe(ALTERATION_KINDS, alterationAlerts(this.#repository.alterations)),
      onSnapshotsChanged: ({ id: jobId, sourceId }) =>
        this.#events.publish({ type: 'snapshot.changed', sourceId, jobId }),
      onSourceChanged: (sourceId) => this.#publishSource(sourceId),
    });
  }

  #publishSource(sourceId: string): void {
    const source = this.#live.current.sources.find(({ id }) => id === sourceId);
    if (source === undefined) return;
    const { id, name, roots } = source;
    const facts = this.#sources.facts(id);
    this.#events.publish({ type: 'source.changed', source: { id, name, roots, ...facts } });
  }
}

function busyCount(queue: JobQueue): number {
  const { queued, running } = queue.counts();
  return queued + running;
}
