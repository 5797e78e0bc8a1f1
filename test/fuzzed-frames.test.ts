import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isReading } from '../src/api/audit-trail.ts';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import { RPC_ERROR_NUMBERS } from '../src/protocol/error-numbers.ts';
import type { MethodName } from '../src/protocol/method-map.ts';
import { methods } from '../src/protocol/methods.ts';
import { FrameGenerator } from './hostile/frame-generator.ts';
import type { Known } from './hostile/frame-values.ts';
import { type FuzzTally, fuzzSession, newTally } from './hostile/fuzz-session.ts';
import { snapshot } from './support/jobs.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { Sandbox } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/**
 * Promise: whatever bytes come, every request is answered once and as documented, nothing is changed by what is not
 * valid, and the daemon stays as large as it was. HOLDFAST_TEST_FRAMES says how many frames; one connection alone is
 * replayed with HOLDFAST_TEST_SEED and HOLDFAST_TEST_CONNECTION.
 */

const FRAMES = Number(process.env['HOLDFAST_TEST_FRAMES'] ?? 15_000);
const FRAMES_PER_CONNECTION = 250;
const CONNECTIONS_AT_A_TIME = 4;
const MIB = 1024 * 1024;

/** Read-only by the daemon's own list, without those that put work into the queue. */
const ENQUEUING: ReadonlySet<string> = new Set([
  'migration.check',
  'migration.history',
  'migration.pending',
  'migration.status',
  'restore.plan',
]);
const HARMLESS = new Set(
  (Object.keys(methods) as MethodName[]).filter((name) => isReading(name) && !ENQUEUING.has(name)),
);
const CODES = new Set<number>([-32700, -32600, -32601, ...Object.values(RPC_ERROR_NUMBERS)]);

/** None of these is due to anything that is sent here. */
const UNDUE = new Set([
  'client does not read: dropped',
  'request not finished in time: client dropped',
]);

let sandbox: Sandbox;
let pid: number;
let daemonLog: readonly Record<string, unknown>[];
let prototypes: string;

beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')");
  database.close();
  prototypes = join(sandbox.root, 'prototypes.json');
  const preload = fileURLToPath(new URL('hostile/report-prototypes.cjs', import.meta.url));
  const daemon = await sandbox.start({
    environment: {
      NODE_OPTIONS: `--require ${preload} --expose-gc`,
      HOLDFAST_TEST_PROTOTYPES: prototypes,
    },
  });
  pid = daemon.process.pid!;
  daemonLog = daemon.log;
});
afterEach(() => sandbox.dispose());

interface Inside {
  readonly prototypes: unknown;
  readonly heapUsed: number;
  readonly rss: number;
}

/** What the daemon says of itself from the inside, after a garbage collection. */
async function inside(): Promise<Inside> {
  rmSync(prototypes, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const text = readOrNull(prototypes);
    if (text !== null) return JSON.parse(text) as Inside;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;

/** Everything that a request could have changed. */
async function standing() {
  const client = await sandbox.client();
  const state = {
    settings: await client.call('settings.get', {}),
    jobs: (await client.call('job.list', { limit: 1000 })).items.map(({ id, status }) => [
      id,
      status,
    ]),
    changes: (await client.call('audit.list', {})).items.length,
    secrets: (await client.call('secret.list', {})).items,
    schedules: (await client.call('schedule.status', {})) as unknown,
    sources: (await client.call('source.list', {})).items,
    data: treeHashes(sandbox.data),
    snapshots: treeHashes(join(sandbox.repository, 'snapshots')),
  };
  client.close();
  return state;
}

async function fuzz(
  seed: number,
  known: Known,
  frameCount: number,
  first: number,
  tally: FuzzTally,
) {
  let connection = first;
  const only = process.env['HOLDFAST_TEST_CONNECTION'];
  const until = tally.frames + frameCount;
  const work = async (): Promise<void> => {
    while (tally.frames < until && tally.failures.length === 0) {
      const number = only === undefined ? connection : Number(only);
      connection += 1;
      const random = seededRandom(seed + number * 7919);
      await fuzzSession({
        socketPath: sandbox.socket,
        random,
        frames: new FrameGenerator(random, known, HARMLESS),
        frameCount: FRAMES_PER_CONNECTION,
        harmless: HARMLESS,
        knownCodes: CODES,
        tally,
        label: `HOLDFAST_TEST_SEED=${seed} HOLDFAST_TEST_CONNECTION=${number}`,
      });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS_AT_A_TIME }, work));
  return connection;
}

it('F57: every fuzzed frame is answered once and as documented, changes nothing, and leaves nothing behind', async () => {
  const seed = runSeed();
  const client = await sandbox.client();
  const { snapshotId } = await snapshot(client);
  const { items: jobs } = await client.call('job.list', {});
  const { items: sources } = await client.call('source.list', {});
  client.close();
  const known: Known = {
    snapshotId: [snapshotId, 'latest', String(snapshotId).slice(0, 8)],
    sourceId: [sources[0]!.id, 'app'],
    id: [jobs[0]!.id, snapshotId, 'latest', 'none'],
    path: ['/', 'data', '/data/app.db', 'data//app.db', '../data', '/data/../..'],
    pattern: ['*', 'app.db', '**/*.db', '[a-', '{a,b', '*a*a*a*a*a*a*a*a*a*a*a*a*a*b'],
    timeoutMs: [0, 1],
    cursor: [null, 'x', '', 'eyJhIjoxfQ'],
    protocol: [1],
  };
  const tally = newTally();
  const before = await standing();
  const connection = await fuzz(seed, known, FRAMES / 5, 1, tally);
  const warm = await inside();
  const openWarm = descriptors();
  await fuzz(seed, known, FRAMES - tally.frames, connection, tally);
  const said = daemonLog.filter(({ level, msg }) => Number(level) >= 50 || UNDUE.has(`${msg}`));
  expect({ failures: tally.failures, said: said.slice(0, 20) }).toEqual({ failures: [], said: [] });
  const after = await inside();
  expect(after.prototypes).toEqual(warm.prototypes);
  expect(JSON.stringify(after.prototypes)).not.toMatch(/polluted|k\d+/);
  expect(await standing()).toEqual(before);
  expect(descriptors()).toBeLessThanOrEqual(openWarm + 2);
  expect(after.heapUsed - warm.heapUsed).toBeLessThan(16 * MIB);
  expect(after.rss - warm.rss).toBeLessThan(96 * MIB);
  expect((await (await sandbox.client()).call('daemon.ping', {})).pid).toBe(pid);
  const { frames, connections, bytes, abandoned, executed, withheld, answers } = tally;
  recordProof({
    suite: 'fuzzed-frames',
    promise:
      'Whatever a client sends, each request gets one answer as documented, and nothing else happens',
    how: 'A daemon process gets requests of every method with wrong types, numbers, keys, nesting, encodings and bytes, in batches and pieces, and connections that end anywhere. What is due is judged from the bytes alone. Prototypes, settings, jobs, data, heap and descriptors are compared before and after.',
    command: 'npm run test:frames',
    figures: {
      frames,
      connections,
      bytes,
      'connections that left without reading': abandoned,
      'requests carried out': executed,
      'frames withheld because they were valid changes': withheld,
      'answers by code': [...answers]
        .sort(([, left], [, right]) => right - left)
        .map(([code, count]) => `${code}: ${count}`)
        .join(', '),
      'growth of the heap in KiB': Math.round((after.heapUsed - warm.heapUsed) / 1024),
      'descriptors left open': Math.max(0, descriptors() - openWarm - 1),
    },
    failures: tally.failures.length,
    seeds: String(seed),
  });
});
