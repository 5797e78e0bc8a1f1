import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/kernel/clock.ts';
import { recordProof } from '../../src/kernel/testing/record-proof.ts';
import type { JobDocument } from '../../src/protocol/method-map.ts';
import type { RpcClient } from '../../src/rpc/client.ts';
import { finished, succeeded } from '../support/jobs.ts';
import { runSeed, seededRandom } from '../support/random.ts';
import { type RunningDaemon, type Sandbox, stopChild } from '../support/sandbox.ts';
import { BANKS, directoryOf, FILES, hourSandbox, SOURCES } from './hour-setup.ts';
import {
  childrenOf,
  databaseBytes,
  entriesIn,
  laterQuarters,
  median,
  type ProcessFigures,
  processesWith,
  processFigures,
} from './process-figures.ts';
import { startRestlessClients } from './restless-clients.ts';
import { faultOfBank, faultOfFiles } from './restored-content.ts';

/** Promise: however long it runs, it takes no more than at the start, and what it took can be restored. */

/** How long the writers write. */
const MINUTES = Number(process.env['HOLDFAST_TEST_MINUTES'] ?? 0.05);
/** Shorter runs end while the daemon is still warming up. */
const TREND_MINUTES_MIN = 10;
const SAMPLE_MS = 5_000;
const RESTORE_EVERY_MS = 60_000;
/** The last quarter may exceed the second by this share, and a little more. */
const GROWTH_MAX = 1.1;
const GROWTH_MEGABYTES_MAX = 8;
const STATE_GROWTH_BYTES_MAX = 512 * 1024;
const REPOSITORY_GROWTH_MAX = 1.5;
/** Of jobs that happen to run when a sample is taken. */
const DESCRIPTORS_MORE_MAX = 8;
const LEFTOVERS_MORE_MAX = 2;

interface Sample extends ProcessFigures {
  readonly stateBytes: number;
  readonly repositoryEntries: number;
  readonly leftovers: number;
}

interface Writer {
  readonly source: string;
  stop(): Promise<Record<string, number>>;
}

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = hourSandbox();
});
afterEach(() => sandbox.dispose());

async function startWriter(source: string, script: string, args: string[]): Promise<Writer> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = sandbox.spawn(process.execPath, [path, ...args]);
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await once(child.stdout!, 'data');
  return {
    source,
    async stop() {
      expect(child.exitCode, `the writer of ${source} ended by itself`).toBeNull();
      await stopChild(child, 'SIGTERM');
      return JSON.parse(output.trim().split('\n').at(-1)!);
    },
  };
}

function startWriters(seed: number): Promise<Writer[]> {
  const banks = Object.entries(BANKS).map(([name, mode], index) => {
    const path = join(directoryOf(sandbox, name), 'bank.db');
    return startWriter(name, 'hostile-bank.mjs', [path, mode, String(seed + index + 1)]);
  });
  const files = startWriter(FILES, 'file-churn.mjs', [directoryOf(sandbox, FILES), String(seed)]);
  return Promise.all([...banks, files]);
}

async function run(client: RpcClient, submitted: Promise<{ job: JobDocument }>) {
  return succeeded(await finished(client, (await submitted).job.id));
}

/** Every kind of work once, so that all that is opened on first use is open. */
async function warmUp(client: RpcClient): Promise<void> {
  for (const sourceId of SOURCES) {
    await run(client, client.call('snapshot.create', { sourceId }));
    await run(client, client.call('snapshot.verify', { sourceId, deep: true }));
    await run(client, client.call('drill.run', { sourceId }));
  }
  await run(client, client.call('retention.apply', {}));
  await run(client, client.call('repository.prune', {}));
  await run(client, client.call('repository.check', {}));
}

async function idle(client: RpcClient, daemon: RunningDaemon): Promise<void> {
  for (;;) {
    const { queue } = await client.call('daemon.status', {});
    const isIdle = queue.running.length + queue.queuedCount === 0;
    if (isIdle && childrenOf(daemon.process.pid!).length === 0) return;
    await sleep(systemClock, 100);
  }
}

function sample(daemon: RunningDaemon): Sample {
  const places = ['scratch', 'staging'].map((name) => join(sandbox.state, name));
  return {
    ...processFigures(daemon.process.pid!),
    stateBytes: databaseBytes(join(sandbox.state, 'state.db')),
    repositoryEntries: entriesIn(sandbox.repository).length,
    leftovers: places.flatMap(entriesIn).length,
  };
}

/** Restores a snapshot and says what is wrong with it; null: nothing, or it was forgotten meanwhile. */
async function faultOf(client: RpcClient, snapshotId: string, source: string) {
  const path = join(sandbox.root, `restored-${snapshotId}`);
  const target = { type: 'directory', path } as const;
  const named = (fault: string | null) => fault && `${snapshotId} of ${source}: ${fault}`;
  try {
    await run(client, client.call('restore.run', { snapshotId, target, check: 'none' }));
    if (source === FILES) return named(faultOfFiles(join(path, 'data')));
    return named(faultOfBank(join(path, 'data/bank.db')));
  } catch (error) {
    const isListed = (await listed(client)).some(({ id }) => id === snapshotId);
    return isListed ? named(String(error)) : null;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

async function listed(client: RpcClient) {
  const items = [];
  for (const sourceId of SOURCES) {
    const answer = await client.call('snapshot.list', { sourceId, limit: 1000 });
    items.push(...answer.items);
  }
  return items;
}

/** Samples, jobs that failed and faults of snapshots restored meanwhile, until the time is over. */
async function watchUntil(endMs: number, client: RpcClient, daemon: RunningDaemon, seed: number) {
  const random = seededRandom(seed);
  const samples: Sample[] = [];
  const problems: string[] = [];
  const failedJobs = new Map<string, string>();
  let restores = 0;
  let nextRestoreMs = performance.now() + RESTORE_EVERY_MS / 2;
  while (performance.now() < endMs) {
    await sleep(systemClock, Math.min(SAMPLE_MS, endMs - performance.now()));
    samples.push(sample(daemon));
    const { items } = await client.call('job.list', { status: ['failed', 'cancelled'] });
    for (const { id, kind, error } of items) failedJobs.set(id, `${kind}: ${error?.message}`);
    if (performance.now() < nextRestoreMs) continue;
    nextRestoreMs += RESTORE_EVERY_MS;
    console.log(new Date().toISOString(), JSON.stringify(samples.at(-1)), [...failedJobs.values()]);
    const snapshots = await listed(client);
    const { id, sourceName } = snapshots[Math.floor(random() * snapshots.length)]!;
    const fault = await faultOf(client, id, sourceName);
    if (fault !== null) problems.push(fault);
    restores += 1;
  }
  problems.push(...failedJobs.values());
  return { samples, problems, restores, failedJobs: failedJobs.size };
}

/** What has grown that must not. */
function growthIn(samples: readonly Sample[]): string[] {
  if (MINUTES < TREND_MINUTES_MIN) return [];
  const { second, last } = laterQuarters(samples);
  const bounds: [keyof Sample, (before: number) => number][] = [
    ['residentMegabytes', (before) => before * GROWTH_MAX + GROWTH_MEGABYTES_MAX],
    ['descriptors', (before) => before + DESCRIPTORS_MORE_MAX],
    ['threads', (before) => before],
    ['stateBytes', (before) => before * GROWTH_MAX + STATE_GROWTH_BYTES_MAX],
    ['repositoryEntries', (before) => before * REPOSITORY_GROWTH_MAX],
    ['leftovers', (before) => before + LEFTOVERS_MORE_MAX],
  ];
  return bounds.flatMap(([name, bound]) => {
    const [before, after] = [second, last].map((some) => median(some.map((each) => each[name])));
    return after! <= bound(before!) ? [] : `${name} grew from ${before} to ${after}`;
  });
}

/** Restores all that is listed; then the repository is read completely. */
async function examine(client: RpcClient) {
  const problems: string[] = [];
  const snapshots = await listed(client);
  for (const { id, sourceName } of snapshots) {
    const fault = await faultOf(client, id, sourceName);
    if (fault !== null) problems.push(fault);
  }
  await run(client, client.call('repository.prune', {}));
  const check = await run(client, client.call('repository.check', { readData: 'all' }));
  if (check['ok'] !== true) problems.push(`the repository: ${JSON.stringify(check['findings'])}`);
  return { problems, restores: snapshots.length };
}

describe('a real hour', () => {
  it(
    'a hostile writer in each journal mode, restless clients: no growth, nothing left behind, every snapshot restores',
    async () => {
      const seed = runSeed();
      // Something to begin with; while nobody writes, the daemon comes to rest.
      for (const writer of await startWriters(seed)) await writer.stop();
      const daemon = await sandbox.start();
      const client = await sandbox.client();
      await client.call('schedule.pause', {});
      await warmUp(client);
      await idle(client, daemon);
      const first = sample(daemon);
      const writers = await startWriters(seed);
      await client.call('schedule.resume', {});
      const clients = await startRestlessClients(sandbox);
      const endMs = performance.now() + MINUTES * 60_000;
      const watched = await watchUntil(endMs, client, daemon, seed);
      await clients.stop();
      const done: Record<string, number>[] = [];
      for (const writer of writers) done.push(await writer.stop());
      await client.call('schedule.pause', {});
      for (const sourceId of SOURCES) {
        await run(client, client.call('snapshot.create', { sourceId }));
      }
      const examined = await examine(client);
      await idle(client, daemon);
      const last = sample(daemon);
      const taken = daemon.log.filter(({ msg }) => msg === 'snapshot taken').length;
      await stopChild(daemon.process, 'SIGTERM');

      const orphans = processesWith(sandbox.config);
      const { samples } = watched;
      const problems = [...watched.problems, ...examined.problems, ...growthIn(samples)];
      if (orphans.length > 0) problems.push(`processes ${orphans} were left behind`);
      const quarters = laterQuarters(samples);
      const residents = [[first], quarters.second, quarters.last, [last]].map((some) =>
        Math.round(median(some.map(({ residentMegabytes }) => residentMegabytes))),
      );
      const sumOf = (...names: string[]) =>
        done.reduce(
          (sum, each) => sum + names.reduce((all, name) => all + (each[name] ?? 0), 0),
          0,
        );
      const waits = done.slice(0, 2).map(({ longestWaitMs = 0 }) => Math.round(longestWaitMs));
      const figures = {
        minutes: MINUTES,
        commits: sumOf('commits'),
        'files and lines written': sumOf('written', 'lines'),
        'VACUUMs and tables written anew': sumOf('vacuums', 'rewrites'),
        'connections of clients': clients.figures.connections,
        'calls answered': clients.figures.polls,
        'events received': clients.figures.events,
        'snapshots taken': taken,
        'snapshots restored': watched.restores + examined.restores,
        'jobs that failed': watched.failedJobs,
        'longest commit of a writer in ms (WAL, rollback)': waits.join(', '),
        'resident MB (first, second quarter, last quarter, last)': residents.join(', '),
        'descriptors (first, last)': `${first.descriptors}, ${last.descriptors}`,
      };
      console.log(JSON.stringify({ seed, figures, done, first, last, problems }, null, 2));
      recordProof({
        suite: 'soak-hour',
        promise:
          'However long it runs, it takes no more than at the start, and all that it lists can be restored.',
        how: 'A daemon with change triggers and schedules of every kind, beside writers in both journal modes that checkpoint, VACUUM, write tables anew and hold the log, files that are renamed, removed and linked, and clients that poll, follow and leave without a word. Memory, descriptors, threads and files are measured every five seconds; in the end every snapshot is restored and its content checked.',
        command: 'npm run test:hour',
        figures,
        failures: problems.length,
        seeds: String(seed),
      });
      expect(problems).toEqual([]);
      expect(last).toMatchObject({ children: 0, leftovers: 0, descriptors: first.descriptors });
    },
    MINUTES * 60_000 + 1_200_000,
  );
});
