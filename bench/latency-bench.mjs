/**
 * What Holdfast costs when there is little to do: commands, requests, an idle daemon, a boot with nothing to repair.
 *
 *   npm run bench:latency -- [--megabytes 1024] [--runs 21] [--idle-seconds 120]
 *
 * Prints one table and writes it, with its conditions, to bench/latency-bench.md.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { configure, median, project, run, startDaemon } from './running-daemon.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '21' },
    'idle-seconds': { type: 'string', default: '120' },
  },
});
const megabytes = Number(options.megabytes);
const runs = Number(options.runs);
const idleSeconds = Number(options['idle-seconds']);
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));

function makeDatabase(path, bytes) {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = OFF');
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, payload BLOB)');
  const insert = database.prepare('INSERT INTO rows (payload) VALUES (randomblob(100000))');
  database.transaction(() => {
    for (let done = 0; done < bytes; done += 100_000) insert.run();
  })();
  database.close();
}

function sources(count) {
  return Array.from({ length: count }, (_, index) => {
    const directory = join(root, `app-${index}`);
    mkdirSync(directory, { recursive: true });
    makeDatabase(join(directory, 'app.db'), 200_000);
    return { name: `app-${index}`, roots: [{ class: 'data', path: directory }] };
  });
}

/** Each of the two in turn, so that a busy moment of the machine meets both. */
function inTurn(works) {
  const times = works.map(() => []);
  for (let round = 0; round < runs; round++) {
    for (const [index, work] of works.entries()) times[index].push(work().ms);
  }
  return times.map(median);
}

const HELLO = { protocol: 1, client: { name: 'bench', version: '0' } };

const request = (id, method, params) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;

/** Requests answered a second, on `connections` at once, each with 64 in flight. */
async function requestRate(socketPath, connections) {
  const total = 40_000;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: connections }, () => ask(socketPath, total / connections)),
  );
  return total / ((performance.now() - start) / 1000);
}

async function ask(socketPath, total) {
  const socket = createConnection(socketPath);
  let sent = 0;
  let received = 0;
  await new Promise((resolve, reject) => {
    let rest = '';
    const fill = () => {
      // The greeting is the first request, as everywhere.
      let batch = sent === 0 ? request(0, 'daemon.hello', HELLO) : '';
      while (sent < total && sent - received < 64) {
        sent += 1;
        batch += request(sent, 'daemon.ping', {});
      }
      if (batch !== '') socket.write(batch);
    };
    socket.on('data', (chunk) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop();
      for (const part of parts) if (part.includes('"error"')) reject(new Error(part));
      received += parts.length;
      if (received > total) resolve();
      else fill();
    });
    socket.on('error', reject);
    fill();
  });
  socket.destroy();
}

/** How long each request took, ms, asked one after the other every few milliseconds until `isOver`. */
async function latencies(socketPath, isOver) {
  const socket = createConnection(socketPath);
  const answered = () => new Promise((resolve) => socket.once('data', resolve));
  socket.write(request(0, 'daemon.hello', HELLO));
  await answered();
  const times = [];
  while (!isOver()) {
    const start = performance.now();
    socket.write(request(times.length + 1, 'daemon.ping', {}));
    await answered();
    times.push(performance.now() - start);
    await sleep(2);
  }
  socket.destroy();
  return times.sort((left, right) => left - right);
}

/** While a first snapshot of the large database is taken by a worker of the same daemon. */
async function measureUnderJob(figures, daemon) {
  const child = spawn(process.execPath, [join(project, 'bin/holdfast'), 'backup', '--json'], {
    env: { ...process.env, HOLDFAST_SOCKET: daemon.socketPath },
    stdio: 'ignore',
  });
  let over = false;
  child.once('exit', () => {
    over = true;
  });
  const times = await latencies(daemon.socketPath, () => over);
  figures.underJobMs = times[Math.floor(times.length * 0.99)];
  figures.underJobCount = times.length;
}

const CLOCK_TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function processFigures(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return {
    residentBytes: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024,
    cpuMs: ((Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS) * 1000,
    /** Of its workers that have ended. */
    workersCpuMs: ((Number(fields[13]) + Number(fields[14])) / CLOCK_TICKS) * 1000,
  };
}

const SETTLE_TRIES = 240;

/** Every source has its first snapshot, and nothing is under way or seen to have changed since. */
async function settled(daemon) {
  for (let tries = 0; tries < SETTLE_TRIES; tries++) {
    const { sources: all, queue } = JSON.parse(daemon.command('status', '--json').stdout);
    const isIdle = queue.running.length === 0 && queue.queuedCount === 0;
    const isSaved = ({ lastSnapshot, pendingChangeSince }) =>
      lastSnapshot !== null && pendingChangeSince === null;
    if (isIdle && all.every(isSaved)) return;
    await sleep(500);
  }
  throw new Error('The daemon is still taking snapshots');
}

async function measureSmallDaemon(figures, places) {
  const daemon = await startDaemon(places);
  const bin = join(project, 'bin/holdfast');
  const env = { HOLDFAST_SOCKET: places.socketPath };
  const node = (...args) => run(process.execPath, args, env);
  daemon.command('backup', 'app-0', '--json');
  await settled(daemon);
  [figures.nodeMs, figures.statusMs, figures.ifChangedMs] = inTurn([
    () => node('-e', '0'),
    () => node(bin, 'status'),
    () => node(bin, 'backup', 'app-0', '--if-changed', '--json'),
  ]);
  // Apart: whoever reads a closed database lets the watcher see something for a moment.
  [figures.unchangedMs] = inTurn([() => node(bin, 'backup', 'app-0', '--json')]);
  figures.requests = await requestRate(places.socketPath, 1);
  figures.requestsOfEight = await requestRate(places.socketPath, 8);
  await daemon.end();
}

/** As after a night: started, everything saved once, then left alone. */
async function measureIdle(figures, places) {
  const daemon = await startDaemon(places);
  await settled(daemon);
  await sleep(20_000);
  const before = processFigures(daemon.child.pid);
  await sleep(idleSeconds * 1000);
  const after = processFigures(daemon.child.pid);
  figures.residentBytes = after.residentBytes;
  figures.idleCpuPercent = ((after.cpuMs - before.cpuMs) / (idleSeconds * 1000)) * 100;
  await daemon.end();
}

async function measureBoot(figures) {
  const directory = join(root, 'large');
  mkdirSync(directory);
  makeDatabase(join(directory, 'app.db'), megabytes * 2 ** 20);
  figures.databaseBytes = statSync(join(directory, 'app.db')).size;
  const places = configure(join(root, 'boot'), [['app', directory]]);
  const first = await startDaemon(places);
  await measureUnderJob(figures, first);
  first.command('verify', '--latest', '--deep', '--json');
  await first.end();
  const times = [];
  const cpuTimes = [];
  for (let round = 0; round < Math.min(runs, 7); round++) {
    const daemon = await startDaemon(places);
    times.push(daemon.readyMs);
    const { cpuMs, workersCpuMs } = processFigures(daemon.child.pid);
    cpuTimes.push(cpuMs + workersCpuMs);
    await daemon.end();
  }
  figures.bootMs = median(times);
  figures.bootCpuMs = median(cpuTimes);
}

const ms = (value) => `${value.toFixed(0)} ms`;

try {
  const figures = {};
  const places = configure(join(root, 'small'), sources(10));
  await measureSmallDaemon(figures, places);
  await measureIdle(figures, places);
  await measureBoot(figures);
  const rows = [
    ['`node -e 0`', ms(figures.nodeMs)],
    [
      '`holdfast status`',
      `${ms(figures.statusMs)} (node + ${ms(figures.statusMs - figures.nodeMs)})`,
    ],
    ['`holdfast backup --if-changed`, nothing changed', ms(figures.ifChangedMs)],
    ['`holdfast backup`, nothing changed: a snapshot', ms(figures.unchangedMs)],
    ['small requests a second', Math.round(figures.requests).toLocaleString('en')],
    ['the same on 8 connections', Math.round(figures.requestsOfEight).toLocaleString('en')],
    [
      `99th percentile of ${figures.underJobCount} requests while a snapshot is taken`,
      `${figures.underJobMs.toFixed(1)} ms`,
    ],
    ['idle daemon, ten sources: memory', `${(figures.residentBytes / 1e6).toFixed(0)} MB`],
    ['idle daemon, ten sources: processor', `${figures.idleCpuPercent.toFixed(2)} %`],
    [
      `boot to ready, ${(figures.databaseBytes / 1e9).toFixed(1)} GB unchanged since a verified snapshot`,
      ms(figures.bootMs),
    ],
    ['the same: processor time of the daemon and its workers', ms(figures.bootCpuMs)],
  ];
  const report = `# What Holdfast costs when there is little to do

| | |
| --- | --- |
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

Conditions: medians of ${runs} runs of whole commands, taking turns with \`node -e 0\`; requests are \`daemon.ping\` on one
connection with 64 in flight; the idle daemon watches ten sources with one database each and their default schedules,
measured over ${idleSeconds} s, 20 s after it was ready; boots are from the start of the process to "ready".

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}.

Command: \`npm run bench:latency -- --megabytes ${megabytes} --runs ${runs} --idle-seconds ${idleSeconds}\`
`;
  console.log(report);
  if (megabytes >= 1024) writeFileSync(join(project, 'bench/latency-bench.md'), report);
} finally {
  rmSync(root, { recursive: true, force: true });
}
