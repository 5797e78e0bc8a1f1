import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsHolder } from '../config/live-settings.ts';
import type { SourceSettings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import type { WorkerOutcome } from '../jobs/worker-process.ts';
import { quietActivity } from '../kernel/activity.ts';
import { type Clock, sleep, systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { backup } from '../operations/backup.ts';
import { CapturedSnapshots } from './captured-snapshots.ts';
import { RepositoryView } from './repository-view.ts';
import { SourceStates } from './source-states.ts';
import { UnchangedSources } from './unchanged-sources.ts';

let directory: string;
let data: string;
let live: SettingsHolder;
let repository: RepositoryView;
let sources: SourceStates;
let flags: Map<string, unknown>;
let runJob: RunJob;
/** Jobs that a worker would have done. */
let worked: number;
/** What was written before is then no longer of the same tick. */
let aheadMs: number;
let clock: Clock;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-unchanged-')));
  data = join(directory, 'data');
  for (const name of ['data', 'scratch', 'state']) mkdirSync(join(directory, name));
  writeFileSync(join(data, 'file.txt'), 'content');
  const database = new Database(join(data, 'app.db'));
  database.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)');
  database.close();
  flags = new Map();
  aheadMs = 1_000;
  worked = 0;
  clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  live = new SettingsHolder(testSettings(directory, { sources: [sourceOf()] }));
  repository = new RepositoryView(
    join(directory, 'repository'),
    clock,
    silentLogger,
    async () => null,
  );
  sources = new SourceStates(repository);
  runJob = newDaemon();
});

afterEach(async () => {
  await repository.close();
  rmSync(directory, { recursive: true, force: true });
});

/** What was remembered in `flags` outlives it. */
function newDaemon(): RunJob {
  const captured = new CapturedSnapshots({
    get: (key) => flags.get(key),
    set: (key, value) => void flags.set(key, value),
    remove: (key) => void flags.delete(key),
  });
  return new UnchangedSources({ live, clock, repository, sources, captured }).around(work);
}

function sourceOf(changes: Partial<SourceSettings> = {}): SourceSettings {
  return testSource({
    roots: [{ class: 'data', name: null, path: data, required: true }],
    ...changes,
  });
}

/** As a worker does it. */
const work: RunJob = async (job) => {
  worked += 1;
  const context = {
    activity: quietActivity(),
    settings: live.current,
    clock,
    jobId: job.id,
    scratchDirectory: join(directory, 'scratch'),
  };
  const result = await backup.run(context, backup.params.parse(job.params));
  return { status: 'succeeded', result, error: null, warnings: 0 };
};

async function run(
  params: Record<string, unknown> = { origin: 'schedule', reason: 'schedule daily' },
  actor: Job['actor'] = 'schedule',
): Promise<WorkerOutcome> {
  const job = { id: 'job-1', kind: 'backup', sourceId: 'app', actor, params } as unknown as Job;
  const outcome = await runJob(job, {
    signal: new AbortController().signal,
    deadlineMs: null,
    onStarted: () => {},
    onMessage: () => {},
  });
  if (outcome.result?.['unchanged'] !== true) await repository.refresh();
  return outcome;
}

describe('a backup by schedule', () => {
  it('starts no worker where nothing has changed, and names the snapshot that holds it all', async () => {
    const first = await run();
    const second = await run();
    expect(worked).toBe(1);
    expect(second).toMatchObject({
      status: 'succeeded',
      warnings: 0,
      result: { unchanged: true, good: true, snapshotId: first.result!['snapshotId'] },
    });
  });

  it('starts none either after a restart of the daemon', async () => {
    await run();
    runJob = newDaemon();
    expect((await run()).result).toMatchObject({ unchanged: true });
    expect(worked).toBe(1);
  });

  it.each<[string, () => void]>([
    ['a file was written', () => writeFileSync(join(data, 'file.txt'), 'other content')],
    ['a file came', () => writeFileSync(join(data, 'another.txt'), '')],
    ['a file is gone', () => rmSync(join(data, 'file.txt'))],
    [
      'a database was written',
      () => {
        const database = new Database(join(data, 'app.db'));
        database.exec('UPDATE t SET n = n + 1');
        database.close();
      },
    ],
    [
      'the snapshot is gone',
      () => {
        const id = repository.snapshotsOf('app').last!.id;
        rmSync(join(directory, 'repository', 'snapshots', `${id}.json`));
      },
    ],
    ['the snapshot is a day old', () => (aheadMs += 86_400_000)],
    ['the clock was set back', () => (aheadMs -= 3_600_000)],
    [
      'a database needs a person',
      () => sources.noteUnchecked('app', join(data, 'app.db'), 'damaged', 'now'),
    ],
  ])('starts one where %s', async (_what, change) => {
    await run();
    change();
    const second = await run();
    expect(worked).toBe(2);
    expect(second.result).not.toHaveProperty('unchanged');
  });

  it('starts one where the settings of the source have changed, or other commands belong to it', async () => {
    await run();
    await live.replace({ ...live.current, sources: [sourceOf({ maxFileBytes: 1_000_000 })] });
    await run();
    expect(worked).toBe(2);
    await run();
    expect(worked).toBe(2);
    const keys = [{ name: 'key', path: join(directory, 'key'), secret: null }];
    await live.replace({ ...live.current, sources: [sourceOf({ keys })] });
    await run();
    await run();
    expect(worked).toBe(4);
  });

  it('starts one where a file was written, though its length and its time are what they were', async () => {
    aheadMs = 0;
    // Until what was written before is no longer of the tick of the snapshot.
    await sleep(systemClock, 50);
    await run();
    await run();
    expect(worked).toBe(1);
    const { atime, mtime } = statSync(join(data, 'file.txt'));
    writeFileSync(join(data, 'file.txt'), 'CONTENT');
    utimesSync(join(data, 'file.txt'), atime, mtime);
    await run();
    expect(worked).toBe(2);
  });

  it('starts one where a file is as young as the snapshot: a write within one tick leaves no trace', async () => {
    aheadMs = -1_000;
    writeFileSync(join(data, 'file.txt'), 'just now');
    await run();
    await run();
    expect(worked).toBe(2);
  });

  it('starts one after a snapshot with a flaw, or of a part', async () => {
    await run({ type: 'data' });
    await run();
    expect(worked).toBe(2);
    await run();
    expect(worked).toBe(2);
  });
});

describe('a backup by a person', () => {
  it('is a snapshot, unless it is asked for only if something has changed', async () => {
    await run({ origin: 'manual' }, 'user');
    await run({ origin: 'manual' }, 'user');
    expect(worked).toBe(2);
    const answered = await run({ origin: 'manual', ifChanged: true }, 'user');
    expect(worked).toBe(2);
    expect(answered.result).toMatchObject({ unchanged: true });
  });

  it('with a tag or a reason is a snapshot in any case', async () => {
    await run();
    await run({ origin: 'manual', ifChanged: true, reason: 'before the update' }, 'user');
    await run({ origin: 'manual', ifChanged: true, tags: ['v2'] }, 'user');
    expect(worked).toBe(3);
  });
});
