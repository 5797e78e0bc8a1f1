import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsHolder } from '../config/live-settings.ts';
import { objectOf } from '../config/option.ts';
import { artifactOptions } from '../config/options/artifact-options.ts';
import type { Settings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { JobQueue } from '../jobs/job-queue.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { type PendingRestore, writePending } from '../restore/pending-restore.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { BOOT_KINDS, bootJobs } from './boot.ts';
import { BootProgress } from './boot-progress.ts';
import { RepositoryView } from './repository-view.ts';
import { SourceStates } from './source-states.ts';
import { bootstrapWarnings } from './status-warnings.ts';

let directory: string;
let settings: Settings;
let state: StateDatabase;
/** What boot did: the phases it entered, and the jobs that it had done. */
let course: string[];
let progress: BootProgress;

/** Waits no time at all. */
const hurriedClock: Clock = {
  ...systemClock,
  after: (_delayMs, callback, options) => systemClock.after(0, callback, options),
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boot-'));
  const source = (id: string, onBoot: 'recover' | 'check' | 'off') => {
    const root = { class: 'data', name: null, path: join(directory, id), required: true } as const;
    const settingsOfTest = testSource({ id, name: id, roots: [root] });
    return { ...settingsOfTest, recovery: { ...settingsOfTest.recovery, onBoot } };
  };
  settings = testSettings(directory, {
    sources: [source('one', 'recover'), source('two', 'check'), source('three', 'off')],
  });
  await mkdir(settings.stateDirectory, { recursive: true });
  state = await openState(join(settings.stateDirectory, 'state.db'), { clock: systemClock });
  course = [];
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

/** Boots with workers that do nothing but end; `ends` tells how each does. */
async function boot(
  ends: (kind: string) => 'succeeded' | 'failed' = () => 'succeeded',
  clock: Clock = systemClock,
) {
  progress = new BootProgress((phase) => course.push(phase));
  const runJob: RunJob = async ({ kind, params }) => {
    course.push(`${kind} ${JSON.stringify(params)}`);
    const error = { code: 'IO_ERROR', message: 'made to fail', retryable: false } as const;
    const status = ends(kind);
    return { status, result: {}, error: status === 'failed' ? error : null, warnings: 0 };
  };
  const queue = new JobQueue({ state, clock: systemClock, logger: silentLogger, runJob });
  queue.admit(BOOT_KINDS);
  await queue.start();
  const repository = new RepositoryView(
    settings.repositoryDirectory,
    systemClock,
    silentLogger,
    async () => null,
  );
  try {
    await bootJobs({
      live: new SettingsHolder(settings),
      queue,
      effects: { settled: async () => {} },
      clock,
      logger: silentLogger,
      progress,
      repository,
      sources: new SourceStates(repository),
      signal: new AbortController().signal,
    });
  } finally {
    await queue.stop(1000);
    await repository.close();
  }
}

const STAGED: PendingRestore = {
  id: '00000001-aaaa',
  snapshotId: 'ab',
  sourceId: 'one',
  paths: [],
  classes: [],
  mode: 'merge',
  overwrite: 'always',
  checkpoint: true,
  applyWhen: 'boot',
  stagedAt: '2026-01-02T03:04:05.000Z',
  stagedBy: null,
  bytes: 0,
  state: 'staged',
  attempts: 0,
  lastError: null,
  targetRoots: [],
  stagingDirectories: [],
  items: [],
  directories: [],
  mirrored: [],
  skipped: [],
  checked: [],
};

it('Z-104, Z-60: boot finishes what was interrupted, then applies staged restores, then checks databases', async () => {
  await writePending(settings.stateDirectory, STAGED);
  await boot();
  expect(course).toEqual([
    'swaps',
    'reconcile {}',
    'restores',
    'apply {"automatic":true}',
    'recovery',
    'recover {"sourceId":"one","mode":"if-needed"}',
    'recover {"sourceId":"two","mode":"check-only"}',
  ]);
});

it('Z-104: a step that fails is no reason to leave out the next', async () => {
  await writePending(settings.stateDirectory, STAGED);
  await boot(() => 'failed');
  expect(course.map((each) => each.split(' ')[0])).toEqual([
    'swaps',
    'reconcile',
    'restores',
    'apply',
    'recovery',
    'recover',
    'recover',
  ]);
});

it('boot applies nothing where nothing was staged', async () => {
  await boot();
  expect(course.filter((each) => each.startsWith('apply') || each === 'restores')).toEqual([]);
});

describe('bootstrapping', () => {
  const withBootstrap = () => {
    const artifacts = [
      {
        ...objectOf(artifactOptions).parse({ database: 'data/app.db' }),
        bootstrapRef: 'snapshots/latest',
      },
    ];
    const [one, ...others] = settings.sources;
    settings = { ...settings, sources: [{ ...one!, artifacts }, ...others] };
  };

  it('C-18, F19: comes before databases are checked, for the sources that ask for it', async () => {
    withBootstrap();
    await boot();
    expect(course.slice(2)).toEqual([
      'bootstrap',
      'bootstrap {"sourceId":"one"}',
      'recovery',
      expect.stringMatching(/^recover/),
      expect.stringMatching(/^recover/),
    ]);
  });

  it('C-18: that fails is tried again until it succeeds, and nothing that follows begins before', async () => {
    withBootstrap();
    let tries = 0;
    const failures: number[] = [];
    await boot((kind) => {
      if (kind !== 'bootstrap') return 'succeeded';
      tries += 1;
      failures.push(progress.bootstrapFailures.length);
      return tries < 3 ? 'failed' : 'succeeded';
    }, hurriedClock);
    expect(course.map((each) => each.split(' ')[0]).slice(2, 7)).toEqual([
      'bootstrap',
      'bootstrap',
      'bootstrap',
      'bootstrap',
      'recovery',
    ]);
    expect(failures).toEqual([0, 1, 1]);
    expect(bootstrapWarnings(progress.bootstrapFailures)).toEqual([]);
  });

  it('C-18: is no part of a boot without a reference', async () => {
    await boot();
    expect(course.filter((each) => each.startsWith('bootstrap'))).toEqual([]);
  });
});
