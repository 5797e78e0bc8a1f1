import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testSettings, testSource } from '../src/config/testing/settings.ts';
import { runWorker, type WorkerOutcome } from '../src/jobs/worker-process.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { silentLogger } from '../src/kernel/logger.ts';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import { bystanderOf, type HostileFile, hostileFiles } from './support/hostile-databases.ts';
import { seededRandom } from './support/random.ts';

/**
 * Promise: nothing in a database runs, whoever made it; nothing else is touched because of it; and whatever it does
 * to the worker that reads it, the worker ends with a reason. `npm run test:hostile` tries all files.
 */
const ALL = process.env['HOLDFAST_TEST_HOSTILE'] === 'all';
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 30));
/** Only those whose names match. */
const NAMED = new RegExp(process.env['HOLDFAST_TEST_NAMED'] ?? '');
const MINUTES_MAX = Number(process.env['HOLDFAST_TEST_MINUTES'] ?? 24 * 60);
const NOISY = ALL ? 40 : 2;
const SAMPLED = 2;
/** Of one operation: a worker that is at it for longer is ended. */
const DEADLINE_MS = ALL ? 30_000 : 10_000;
const MEMORY_BYTES_MAX = 1024 ** 3;
const PRECIOUS = 'precious bytes of somebody else\n';
const WORKER = fileURLToPath(new URL('../dist/worker.js', import.meta.url));
/** What a job may fail with. INTERNAL would be an error that nobody expected. */
const TYPED =
  /^(VERIFY_FAILED|SOURCE_CORRUPT|INVALID_PARAMS|UNSUPPORTED_FORMAT|TIMEOUT|LIMIT_EXCEEDED|WORKER_CRASHED|NO_BACKUP|NOT_FOUND|RECOVERY_FAILED|SANITY_FAILED|ENCRYPTED)$/;

let root: string;
let template: string;
let benign: string;

beforeAll(async () => {
  console.log(`HOLDFAST_TEST_SEED=${SEED}`);
  root = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-hostile-')));
  template = join(root, 'template');
  const bench = new HostileBench(template);
  const database = new Database(bench.path);
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT, other INT)');
  database.exec("INSERT INTO rows (body, other) VALUES ('sound', 1)");
  database.close();
  const first = await bench.run('backup', {});
  expect(first.status, JSON.stringify(first.error)).toBe('succeeded');
  benign = String(first.result?.['snapshotId']);
  rmSync(bench.path);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const JOB = '01900000-0000-7000-8000-000000000001';
/** A worker that took too long or too much, or died of it. */
const ENDED: ReadonlySet<string> = new Set(['TIMEOUT', 'LIMIT_EXCEEDED', 'WORKER_CRASHED']);

class HostileBench {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    for (const name of ['data', 'state', 'outside']) {
      mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
    }
  }

  get path(): string {
    return join(this.directory, 'data', 'app.db');
  }

  outside(name: string): string {
    return join(this.directory, 'outside', name);
  }

  /** One operation in a worker, as the daemon runs it; after one that was ended, what it left is put in order. */
  async run(kind: string, params: Record<string, unknown>): Promise<WorkerOutcome> {
    const outcome = await this.#work(kind, params);
    if (ENDED.has(outcome.error?.code ?? '')) await this.#work('reconcile', { afterJob: JOB });
    return outcome;
  }

  #work(kind: string, params: Record<string, unknown>): Promise<WorkerOutcome> {
    const source = testSource({
      roots: [{ class: 'data', name: null, path: join(this.directory, 'data'), required: true }],
    });
    const settings = testSettings(this.directory, { sources: [source] });
    return runWorker({
      entry: WORKER,
      start: {
        type: 'start',
        jobId: JOB,
        kind: kind as 'backup',
        params,
        settings: settings as unknown as Record<string, unknown>,
      },
      deadlineMs: DEADLINE_MS,
      memoryBytesMax: MEMORY_BYTES_MAX,
      graceMs: 300,
      clock: systemClock,
      logger: silentLogger,
      env: { PATH: process.env['PATH'], HOME: this.directory },
      onMessage: () => {},
    });
  }
}

/** Everything below a directory that is not Holdfast's: names, kinds, bytes. */
function picture(directory: string): string {
  const lines = readdirSync(directory).map((name) => {
    const path = join(directory, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`;
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
    return `${name} ${stat.size} ${hash}`;
  });
  return lines.sort().join('\n');
}

interface Tried {
  readonly operations: number;
  readonly ended: number;
  readonly refused: number;
  readonly failures: string[];
}

async function tryFile(file: HostileFile, number: number): Promise<Tried> {
  const directory = join(root, 'bench');
  rmSync(directory, { recursive: true, force: true });
  cpSync(template, directory, { recursive: true });
  const bench = new HostileBench(directory);
  const bystander = bystanderOf(join(directory, 'outside'));
  writeFileSync(bystander, PRECIOUS);
  file.make({ path: bench.path, bystander, seed: SEED + number });
  const before = picture(join(directory, 'data'));
  const failures: string[] = [];
  let ended = 0;
  let refused = 0;
  let operations = 0;
  const run = async (kind: string, params: Record<string, unknown>): Promise<WorkerOutcome> => {
    const outcome = await bench.run(kind, params);
    const what = `${file.name}: ${kind} ${JSON.stringify(params)}`;
    operations += 1;
    const code = outcome.error?.code;
    if (ENDED.has(code ?? '')) ended += 1;
    else if (outcome.status !== 'succeeded') refused += 1;
    if (code !== undefined && !TYPED.test(code)) {
      failures.push(`${what}: ${code} ${outcome.error?.message}`);
    }
    if (picture(join(directory, 'data')) !== before) failures.push(`${what}: the data changed`);
    if (!existsSync(bystander) || readFileSync(bystander, 'utf8') !== PRECIOUS) {
      failures.push(`${what}: a file of somebody else was touched`);
      writeFileSync(bystander, PRECIOUS);
    }
    for (const name of readdirSync(directory)) {
      if (/escape/.test(name)) failures.push(`${what}: ${name} was made`);
    }
    return outcome;
  };
  const { result } = await run('backup', {});
  const snapshotId = result?.['snapshotId'];
  if (typeof snapshotId === 'string') {
    await run('verify', { snapshots: [snapshotId], deep: true });
    await run('diff', { before: benign, after: snapshotId });
    for (const format of ['sql', 'jsonl', 'db']) {
      const path = bench.outside(`exported.${format}`);
      const to = { type: 'file', path };
      await run('export', { snapshotId, database: 'data/app.db', format, to });
      if (format === 'sql' && existsSync(path)) {
        const text = readFileSync(path, 'utf8');
        if (/^INSERT INTO "?escaped/im.test(text)) failures.push(`${file.name}: an export escaped`);
      }
    }
    await run('drill', {});
  }
  const recovered = bench.outside('recovered.db');
  await run('recover', { database: bench.path, to: recovered });
  failures.push(...escapesIn(recovered).map((each) => `${file.name}: recovered ${each}`));
  return { operations, ended, refused, failures };
}

/** Rows that only the schema of the file itself can have written. */
function escapesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  const database = new Database(path);
  try {
    const rows = database.prepare('SELECT count(*) FROM escaped').pluck().get() as number;
    return rows > 0 ? [`${rows} rows that a trigger wrote`] : [];
  } catch {
    // It has no such table, or is as the hostile one was.
    return [];
  } finally {
    database.close();
  }
}

describe('hostile databases', () => {
  it('whatever a database says, nothing of it runs, nothing else is touched, and each worker ends with a reason', {
    timeout: 36_000_000,
  }, async () => {
    const all = hostileFiles(NOISY).filter(({ name }) => NAMED.test(name));
    const random = seededRandom(SEED);
    // In no order, so that a run that ends early has tried some of each.
    const drawn = all.map((file) => ({ file, place: random() }));
    drawn.sort((left, right) => left.place - right.place);
    const mixed = drawn.map(({ file }) => file);
    const chosen = ALL ? mixed : mixed.slice(0, SAMPLED);
    const always = all.filter(({ name }) => name === 'a journal that names a bystander');
    const startedMs = performance.now();
    const tried: Tried[] = [];
    for (const [number, file] of [...(ALL ? [] : always), ...chosen].entries()) {
      if (performance.now() - startedMs > MINUTES_MAX * 60_000) break;
      const outcome = await tryFile(file, number);
      tried.push(outcome);
      if (ALL) console.log(file.name, JSON.stringify(outcome));
    }
    const failures = tried.flatMap((each) => each.failures);
    const sum = (of: (each: Tried) => number): number =>
      tried.reduce((total, each) => total + of(each), 0);
    recordProof({
      suite: 'hostile-databases',
      promise:
        'Whatever is written in a database, nothing of it runs, no other file is touched, and the worker that reads it ends with a reason.',
      how: 'Crafted and mutated databases, logs and journals are captured, verified, compared, exported in three forms, drilled and recovered by real workers with a deadline and a bound on memory.',
      command: 'npm run test:hostile',
      figures: {
        filesCrafted: tried.length,
        operations: sum(({ operations }) => operations),
        operationsRefused: sum(({ refused }) => refused),
        workersEnded: sum(({ ended }) => ended),
        escapes: failures.length,
      },
      failures: failures.length,
      seeds: `HOLDFAST_TEST_SEED=${SEED}`,
    });
    expect(failures).toEqual([]);
  });
});
