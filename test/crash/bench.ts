import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { JobKind } from '../../src/jobs/job.ts';
import { runWorker, type WorkerOutcome } from '../../src/jobs/worker-process.ts';
import { quietActivity } from '../../src/kernel/activity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { runOperation } from '../../src/operations/run-operation.ts';
import { projectRoot } from '../support/sandbox.ts';
import { fillPool } from './disk/lay-out.ts';
import { buildRecorder } from './recorder/build-recorder.ts';
import { acknowledge, createWriteLog } from './recorder/write-log.ts';

/**
 * A folder in memory, where that can be mounted: what syncs promise is the model's business, not the medium's, and
 * there they take no time.
 */
function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-power-cut-'));
  if (process.platform === 'linux') spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', home]);
  return home;
}

export interface JobRequest {
  readonly kind: JobKind;
  readonly params?: Record<string, unknown>;
}

/** One disk with an application and its Holdfast on it, whose writes can be recorded. */
export class CutBench {
  readonly home = makeHome();
  readonly disk = join(this.home, 'disk');
  readonly data = join(this.disk, 'data');
  readonly state = join(this.disk, 'state');
  readonly repository = join(this.disk, 'repository');
  /** A directory that exists, for what goes elsewhere. */
  readonly elsewhere = join(this.disk, 'elsewhere');
  readonly config = join(this.home, 'holdfast.json');
  readonly pool = join(this.home, 'pool');
  readonly log = join(this.home, 'calls');
  settings!: Settings;
  #recording = false;

  /** `source` and `rest` are laid over the configuration. */
  async configure(
    source: Record<string, unknown> = {},
    rest: Record<string, unknown> = {},
  ): Promise<void> {
    for (const path of [this.disk, this.data, this.elsewhere]) mkdirSync(path, { recursive: true });
    const only = {
      name: 'app',
      roots: [{ class: 'data', path: this.data }],
      watch: { enabled: false },
      schedules: [],
      ...source,
    };
    const document = {
      stateDirectory: this.state,
      repositoryDirectory: this.repository,
      socketPath: join(this.home, 'socket'),
      ...rest,
      sources: [only],
    };
    writeFileSync(this.config, JSON.stringify(document));
    this.settings = await loadSettings({ config: this.config }, {});
  }

  /** From here on every process of the bench is recorded. */
  startRecording(): void {
    fillPool(this.disk, this.pool);
    createWriteLog(this.log);
    this.#recording = true;
  }

  stopRecording(): void {
    this.#recording = false;
  }

  acknowledge(what: string): void {
    if (this.#recording) acknowledge(this.log, what);
  }

  /** What a process needs to be recorded. */
  get environment(): NodeJS.ProcessEnv {
    const { HOLDFAST_SOCKET: _socket, HOLDFAST_CONFIG: _config, ...rest } = process.env;
    const environment = { ...rest, HOLDFAST_CONFIG: this.config, NO_COLOR: '1' };
    if (!this.#recording) return environment;
    return {
      ...environment,
      LD_PRELOAD: buildRecorder(),
      HOLDFAST_RECORD_ROOT: this.disk,
      HOLDFAST_RECORD_LOG: this.log,
      HOLDFAST_RECORD_POOL: this.pool,
    };
  }

  /** Runs a job in a worker of the built program, as a command without a daemon does. @throws unless it succeeds */
  async work({ kind, params = {} }: JobRequest): Promise<Record<string, any>> {
    const outcome = await this.attempt({ kind, params });
    if (outcome.status === 'succeeded') return outcome.result!;
    throw new Error(`Job ${kind} ${outcome.status}: ${JSON.stringify(outcome.error)}`);
  }

  attempt({ kind, params = {} }: JobRequest): Promise<WorkerOutcome> {
    const jobId = newId(systemClock.nowMs());
    return runWorker({
      entry: join(projectRoot, 'dist/worker.js'),
      start: { type: 'start', jobId, kind, params, settings: this.settings, offline: true },
      deadlineMs: null,
      memoryBytesMax: null,
      graceMs: 5_000,
      clock: systemClock,
      logger: silentLogger,
      env: this.environment,
      onMessage: () => {},
    });
  }

  /** The same in this very process, which is quicker: for looking at what a cut left. */
  here({ kind, params = {} }: JobRequest): Promise<Record<string, any>> {
    const jobId = newId(systemClock.nowMs());
    const { settings } = this;
    const start = { type: 'start', jobId, kind, params, settings, offline: true } as const;
    return runOperation(start, quietActivity(), systemClock);
  }

  remove(): void {
    spawnSync('umount', ['-l', this.home]);
    rmSync(this.home, { recursive: true, force: true });
  }
}
