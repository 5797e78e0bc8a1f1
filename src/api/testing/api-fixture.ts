import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Settings, SourceSettings } from '../../config/settings.ts';
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
import { openState, type StateDatabase } from '../../state/state-database.ts';
import { openReader } from '../../store/repository.ts';
import type { StoreReader } from '../../store/store.ts';
import { createApi } from '../api.ts';
import type { ApiContext, BootStatus } from '../context.ts';
import { EventHub } from '../event-hub.ts';
import type { Session } from '../handler.ts';

/** A running job, whose worker is the test. */
export interface HeldJob {
  readonly job: Job;
  readonly hooks: RunHooks;
  succeed(result?: Record<string, unknown>): void;
}

export const sourceSettings = (id: string, path: string): SourceSettings => ({
  id,
  name: `${id} name`,
  roots: [{ class: 'data', name: null, path, required: true }],
  exclude: ['data/cache/**'],
  databases: { depth: 0, check: 'quick' },
  watch: {
    enabled: true,
    quietMs: 1000,
    maxWaitMs: 60_000,
    minGapMs: 60_000,
    pollMs: 60_000,
    usePolling: false,
  },
  schedules: [],
  recovery: {
    onBoot: 'recover',
    deadlineMsPerGigabyte: 60_000,
    allowPartial: true,
    maxLossRows: null,
    maxSnapshotAgeMs: null,
  },
  assertions: [],
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
  state!: StateDatabase;
  jobs!: JobQueue;
  server!: RpcServer<Session>;
  client!: RpcClient;
  #reader: StoreReader | null = null;

  private constructor(directory: string) {
    this.directory = directory;
    this.settings = {
      stateDirectory: join(directory, 'state'),
      repositoryDirectory: join(directory, 'repository'),
      socketPath: join(directory, 'run', 'a.sock'),
      socketGroup: null,
      logLevel: 'info',
      codec: 'auto',
      verifyWrites: 'sample',
      quarantine: { maxCount: null, maxAgeMs: null, minFreeBytes: 0 },
      worker: { memoryBytesMax: 1024 ** 3, jobDeadlineMs: 60_000 },
      sources: [
        sourceSettings('alpha', join(directory, 'alpha')),
        sourceSettings('beta', join(directory, 'beta')),
      ],
    };
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

  #context(): ApiContext {
    const startedMonotonicMs = systemClock.monotonicMs();
    const shared = {
      settings: this.settings,
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
      logger: silentLogger,
      version: '1.2.3',
      startedAtMs: systemClock.nowMs(),
      jobs: this.jobs,
      health: new HealthMonitor({ ...shared, probes }),
      events: this.events,
      openReader: async () => {
        this.#reader ??= await openReader(this.settings.repositoryDirectory);
        return this.#reader;
      },
      repositoryStatistics: () => null,
      lastRecovery: () => null,
      requestShutdown: () => {
        this.shutdowns += 1;
      },
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
