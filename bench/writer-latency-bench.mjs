/**
 * How long an application waits for its commits, without snapshots and with snapshots taken back to back.
 *
 *   npm run bench:writer-latency -- [--megabytes 256] [--rounds 6] [--seconds 5]
 *
 * The application commits one small transaction every few milliseconds, all the time. Phases with and without snapshots
 * take turns, so that whatever else the machine does meets both; each is as long as the other. In WAL mode and in
 * rollback mode, with `worker.niceness` as it is by default and without. A third kind writes nothing while a snapshot is
 * taken, and only asks for the exclusive lock: what it waits for is how long a snapshot holds a database that nobody
 * writes meanwhile. Prints one table and writes it to bench/writer-latency-bench.md.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { configure, project, startDaemon } from './running-daemon.mjs';

const PAUSE_MS = 3;
const ROW_BYTES = 1060;

/** Of each: its journal mode, and whether its application writes while a snapshot is taken. */
const KINDS = {
  WAL: { mode: 'wal', writes: true },
  rollback: { mode: 'delete', writes: true },
  'rollback, lock only': { mode: 'delete', writes: false },
};

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '5' },
    niceness: { type: 'string', default: '10,0' },
    /** Of the writer: path of the database, and of what kind it is. */
    write: { type: 'string' },
    kind: { type: 'string' },
  },
});

if (options.write !== undefined) await beWriter(options.write, options.kind);
else await measureAll();

/** The application: says what it waited for in the phases that it was told of. */
async function beWriter(path, kind) {
  const { mode, writes } = KINDS[kind];
  const database = new Database(path, { timeout: 600_000 });
  database.pragma(`journal_mode = ${mode}`);
  database.pragma('synchronous = NORMAL');
  const rows = database.prepare('SELECT max(id) FROM orders').pluck().get();
  const touch = database.prepare('UPDATE orders SET customer = customer + 1 WHERE id = ?');
  const write = () => touch.run(1 + Math.floor(Math.random() * rows));
  const lock = () => database.exec('BEGIN EXCLUSIVE; COMMIT');
  const waits = {};
  let phase = null;
  process.on('message', (message) => {
    if (message === 'write') {
      write();
      process.send('written');
      return;
    }
    if (message === 'end') {
      process.send(waits, () => process.exit(0));
      return;
    }
    phase = message;
  });
  process.send('ready');
  for (;;) {
    const startedMs = performance.now();
    if (writes) write();
    else lock();
    const waitedMs = performance.now() - startedMs;
    if (phase !== null) (waits[phase] ??= []).push(waitedMs);
    await sleep(PAUSE_MS);
  }
}

function makeDatabase(path, megabytes) {
  const database = new Database(path);
  database.exec(`
    PRAGMA synchronous = OFF;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, note TEXT, payload BLOB)`);
  const insert = database.prepare(
    'INSERT INTO orders (customer, note, payload) VALUES (1, ?, randomblob(500))',
  );
  const rows = Math.round((megabytes * 2 ** 20) / ROW_BYTES);
  database.transaction(() => {
    for (let n = 0; n < rows; n++) insert.run(`order ${n} `.repeat(40));
  })();
  database.close();
}

/** One snapshot, by a command that stands back as its worker does. */
async function takeSnapshot({ config }) {
  const child = spawn(
    'nice',
    ['-n', '10', process.execPath, join(project, 'bin/holdfast'), 'backup', '--json'],
    {
      env: { ...process.env, HOLDFAST_CONFIG: config },
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    },
  );
  const pieces = [];
  child.stdout.on('data', (piece) => pieces.push(piece));
  await once(child, 'close');
  return JSON.parse(Buffer.concat(pieces).toString()).stats.databases[0].logGrowth ?? null;
}

function logBytes(path) {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Longest length of the log, looked at now and then. */
async function watchLog(path, signal) {
  let longest = 0;
  while (!signal.aborted) {
    longest = Math.max(longest, logBytes(path));
    await sleep(20);
  }
  return longest;
}

async function measure(root, kind, niceness) {
  const { mode, writes } = KINDS[kind];
  const name = `${kind.replaceAll(/\W+/g, '-')}-${niceness}`;
  const data = join(root, name, 'data');
  mkdirSync(data, { recursive: true });
  const path = join(data, 'app.db');
  makeDatabase(path, Number(options.megabytes));
  const source = { name: 'app', roots: [data], watch: { enabled: false }, schedules: [] };
  const configured = configure(join(root, name, 'home'), [source], { worker: { niceness } });
  const daemon = await startDaemon(configured);
  const writer = fork(fileURLToPath(import.meta.url), ['--write', path, '--kind', kind]);
  await once(writer, 'message');
  // The first stores everything; those that are measured store what has changed.
  await takeSnapshot(configured);
  let snapshots = 0;
  let retries = 0;
  const longest = { without: 0, with: 0 };
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const phase of round % 2 === 0 ? ['without', 'with'] : ['with', 'without']) {
      const end = performance.now() + Number(options.seconds) * 1000;
      const stop = new AbortController();
      const watching = watchLog(path, stop.signal);
      writer.send(phase);
      while (phase === 'with' && performance.now() < end) {
        if (!writes) {
          // Of what has not changed nothing is read at all.
          writer.send('write');
          await once(writer, 'message');
        }
        retries += (await takeSnapshot(configured))?.retries ?? 0;
        snapshots += 1;
      }
      await sleep(Math.max(0, end - performance.now()));
      writer.send(null);
      stop.abort();
      longest[phase] = Math.max(longest[phase], await watching);
    }
  }
  const [waits] = await Promise.all([
    once(writer, 'message').then(([all]) => all),
    writer.send('end'),
  ]);
  await daemon.end();
  return { kind, mode, niceness, waits, snapshots, retries, longest };
}

function quantile(values, share) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function measureAll() {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-writer-'));
  const rows = [];
  const loadBefore = loadavg()[0];
  try {
    for (const kind of Object.keys(KINDS)) {
      for (const niceness of options.niceness.split(',').map(Number))
        rows.push(await measure(root, kind, niceness));
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  const ms = (value) => `${value.toFixed(1)} ms`;
  const waitsOf = (waits) => [0.5, 0.99, 1].map((share) => ms(quantile(waits, share))).join(' · ');
  const ratio = ({ waits }) =>
    (quantile(waits.with, 0.99) / quantile(waits.without, 0.99)).toFixed(2);
  const megabyte = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  const table = [
    '| journal | niceness | commits | without: p50 · p99 · longest | with snapshots: p50 · p99 · longest | p99, times | log without · with | snapshots · retries |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => {
      const { kind, mode, niceness, waits, longest, snapshots, retries } = row;
      const commits = waits.without.length + waits.with.length;
      const logs = mode === 'wal' ? `${megabyte(longest.without)} · ${megabyte(longest.with)}` : '';
      return `| ${[kind, niceness, commits, waitsOf(waits.without), waitsOf(waits.with), ratio(row), logs, `${snapshots} · ${retries}`].join(' | ')} |`;
    }),
  ].join('\n');
  const text = `# How long an application waits for its commits

${table}

A database of ${options.megabytes} MB, one row updated and committed every ${PAUSE_MS} ms, \`synchronous = NORMAL\`; ${options.rounds} phases each of
${options.seconds} s without and with snapshots back to back, in turns; one with snapshots lasts until the one that it began is done. ${cpus().length} cores, Node ${process.version}; one-minute load before: ${loadBefore.toFixed(1)}
(the benchmark itself is at most 3: what is beyond that was other work on the machine). One that locks only writes a row before each
snapshot and then asks for the exclusive lock as often as the others commit.

Command: \`npm run bench:writer-latency -- --megabytes ${options.megabytes} --rounds ${options.rounds} --seconds ${options.seconds}\`
`;
  process.stdout.write(`${table}\n`);
  writeFileSync(fileURLToPath(new URL('./writer-latency-bench.md', import.meta.url)), text);
}
