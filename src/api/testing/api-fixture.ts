import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type LiveSettings, SettingsHolder } from '../../config/live-settings.ts';
import type { Settings, SourceSettings } from '../../config/settings.ts';
import { testSettings, testSource } from '../../config/testing/settings.ts';
import { AlertBook } from '../../health/alert-book.ts';
import { HealthMonitor } from '../../health/health-monitor.ts';
import { repositoryProbe, stateProbe } from '../../health/probes.ts';
import type { Job } from '../../jobs/job.ts';
import { JobQueue } from '../../jobs/job-queue.ts';
import type { RunHooks } from '../../jobs/job-runner.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogger } from '../../kernel/logger.ts';
import type {
  MethodName,
  MethodParams,
  MethodResult,
  ScheduleState,
  SourceFacts,
} from '../../protocol/method-map.ts';
import { methods } from '../../protocol/methods.ts';
import { connect, type RpcClient } from '../../rpc/client.ts';
import { RpcServer } from '../../rpc/server.ts';
import { AlertRecords } from '../../state/alert-records.ts';
import { AuditRecords } from '../../state/audit-records.ts';
import { RetryRecords } from '../../state/retry-records.ts';
import { ScheduleFires } from '../../state/schedule-fires.ts';
import { ScheduleRecords } from '../../state/schedule-records.ts';
import { ScheduleSetRecords } from '../../state/schedule-set-records.ts';
import { SecretStore } from '../../state/secret-store.ts';
import { openState, type StateDatabase } from '../../state/state-database.ts';
import { openReader } from '../../store/repository.ts';
import type { StoreReader } from '../../store/store.ts';
import { RetryKeeper } from '../../triggers/retry-keeper.ts';
import type { SubmitTick } from '../../triggers/schedule-request.ts';
import { ScheduleSet } from '../../triggers/schedule-set.ts';
import { Scheduler } from '../../triggers/scheduler.ts';
import { type ApiOptions, createApi } from '../api.ts';
import type { BootStatus, SettingsControl } from '../context.ts';
import { EventHub } from '../event-hub.ts';
import type { Session } from '../handler.ts';

/** A running job, whose worker is the test. */
export interface HeldJob {
  readonly job: Job;
  readonly hooks: RunHooks;
  succeed(result?: Record<string, unknown>): void;
}

export const sourceSettings = (id: string, path: string): SourceSettings =>
  testSource({
    id,
    name: `${id} name`,
    roots: [{ class: 'data', name: null, path, required: true }],
    exclude: ['data/cache/**'],
    watch: { ...testSource().watch, enabled: true, quietMs: 1000 },
  });

export const QUIET_FACTS: SourceFacts = {
  databases: [],
  watch: { mode: 'events', reason: null },
  lastSnapshot: null,
  lastGoodSnapshotAt: null,
  lastVerifiedAt: null,
  lastDrillAt: null,
  lastDrillOk: null,
  lastKnownGood: null,
  pendingChangeSince: null,
  needsOperator: false,
};

/** The api over a real socket, on a real state.db, queue and (where a test makes one) repository. */
export class ApiFixture {
  readonly directory: string;
  readonly settings: Settings;
  readonly held: HeldJob[] = [];
  readonly events = new EventHub();
  facts: SourceFacts = QUIET_FACTS;
  schedules: ScheduleState[] = [];
  boot: BootStatus = { ready: true, phase: 'ready', progress: null };
  shutdowns = 0;
  restarts = 0;
  state!: StateDatabase;
  alerts!: AlertBook;
  jobs!: JobQueue;
  server!: RpcServer<Session>;
  client!: RpcClient;
  #reader: StoreReader | null = null;
  #scheduleSet!: ScheduleSet;
  #retries!: RetryKeeper;

  private constructor(directory: string) {
    this.directory = directory;
    this.settings = testSettings(directory, {
      socketPath: join(directory, 'run', 'a.sock'),
      worker: {
        memoryBytesMax: 1024 ** 3,
        jobDeadlineMs: 60_000,
        niceness: 0,
        diskPriority: 'derived',
      },
      sources: [
        sourceSettings('alpha', join(directory, 'alpha')),
        sourceSettings('beta', join(directory, 'beta')),
      ],
    });
  }

  static async create(): Promise<ApiFixture> {
    const fixture = new ApiFixture(await mkdtemp(join(tmpdir(), 'api-')));
    await mkdir(fixture.settings.stateDirectory);
    await fixture.#start();
    return fixture;
  }

  async #start(): Promise<void> {
    const { settings, events } = this;
    this.state = await openState(join(settings.stateDirectory, 'state.db'), { clock: systemClock });
    this.alerts = new AlertBook({
      records: new AlertRecords(this.state),
      clock: systemClock,
      onChanged: (alert) => events.publish({ type: 'alert.changed', alert }),
    });
    this.jobs = new JobQueue({
      state: this.state,
      clock: systemClock,
      logger: silentLogger,
      runJob: (job, hooks) =>
        new Promise((resolve) => {
          this.held.push({
            job,
            hooks,
            succeed: (result = {}) =>
              resolve({ status: 'succeeded', result, error: null, warnings: 0 }),
          });
        }),
    });
    this.jobs.onEvent((event) => events.publishJobEvent(event));
    await this.jobs.start();
    this.server = new RpcServer({
      ...createApi(this.#context()),
      socketPath: settings.socketPath,
      socketGroup: null,
      clock: systemClock,
      logger: silentLogger,
    });
    await this.server.start();
    this.client = (await this.connect()).client;
  }

  /** Armed by the test that wants due times. */
  get scheduleSet(): ScheduleSet {
    return this.#scheduleSet;
  }

  #openSchedules(live: SettingsHolder): void {
    const { state, jobs } = this;
    const submit: SubmitTick = (request) =>
      jobs.submit({ ...request, kind: 'backup', mutating: true });
    const shared = { clock: systemClock, logger: silentLogger, live, submit };
    this.#scheduleSet = new ScheduleSet({
      ...shared,
      records: new ScheduleSetRecords(state),
      scheduler: new Scheduler({
        ...shared,
        store: new ScheduleRecords(state),
        fires: new ScheduleFires(state),
        isUnderWay: () => false,
      }),
      onApplied: (set) => this.events.publish({ type: 'schedule.applied', set }),
    });
    this.#retries = new RetryKeeper({
      ...shared,
      records: new RetryRecords(state),
      scheduleSet: this.#scheduleSet,
      onAbandoned: (pending) => this.events.publish({ type: 'pending.abandoned', pending }),
    });
  }

  #context(): ApiOptions {
    const startedMonotonicMs = systemClock.monotonicMs();
    const live = new SettingsHolder(this.settings);
    this.#openSchedules(live);
    const shared = {
      live,
      clock: systemClock,
      startedMonotonicMs,
      sourceFacts: () => this.facts,
      schedules: () => this.schedules,
      warnings: () => [],
      boot: () => this.boot,
    };
    const probes = [
      stateProbe(this.state, systemClock),
      repositoryProbe(this.settings.repositoryDirectory),
    ];
    return {
      ...shared,
      configuration: this.#configuration(shared.live),
      secrets: new SecretStore(this.settings.stateDirectory),
      logger: silentLogger,
      version: '1.2.3',
      startedAtMs: systemClock.nowMs(),
      jobs: this.jobs,
      health: new HealthMonitor({ ...shared, probes }),
      events: this.events,
      alerts: this.alerts,
      audit: new AuditRecords(this.state),
      previousRun: null,
      openReader: async () => {
        this.#reader ??= await openReader(this.settings.repositoryDirectory);
        return this.#reader;
      },
      scheduleSet: this.#scheduleSet,
      retries: this.#retries,
      repositoryStatistics: () => null,
      lastRecovery: () => null,
      requestShutdown: () => {
        this.shutdowns += 1;
      },
      requestRestart: () => {
        this.restarts += 1;
      },
    };
  }

  #configuration(live: LiveSettings): SettingsControl {
    return {
      get current() {
        return live.current;
      },
      version: 0,
      setAside: [],
      hasChangeOf: () => false,
      origins: () => ({}),
      change: () => Promise.reject(new Error('settings of this fixture do not change')),
    };
  }

  connect() {
    return connect(this.settings.socketPath, {
      timeoutMs: 5000,
      client: { name: 'test', version: '0' },
    });
  }

  /** Calls, and holds the answer against the contract: nothing missing, nothing that it does not name. */
  async ask<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    const result = await this.client.call(method, params);
    expect(methods[method].result.parse(result), method).toEqual(result);
    return result;
  }

  /** The next job that the queue runs. */
  async nextHeld(): Promise<HeldJob> {
    while (this.held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return this.held.shift()!;
  }

  async remove(): Promise<void> {
    this.client.close();
    await this.server.stop(100);
    for (const { succeed } of this.held) succeed();
    await this.jobs.stop(0);
    this.#reader?.close();
    this.state.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
