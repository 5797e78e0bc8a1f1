/**
 * What a snapshot costs after a few rows of a large database have changed: with the log believed, and without.
 *
 *   npm run bench:change-map -- [--megabytes 256] [--updates 1000]
 *
 * Counts bytes read and processor time of workers, which other processes hardly disturb. Prints one table and
 * writes it to bench/change-map-bench.md. The application stays connected, as applications do.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { configure, startDaemon } from './running-daemon.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '256' },
    updates: { type: 'string', default: '1000' },
  },
});
const megabytes = Number(options.megabytes);
const updates = Number(options.updates);
const root = mkdtempSync(join(tmpdir(), 'holdfast-change-map-'));

function makeDatabase(path) {
  const database = new Database(path);
  database.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, note TEXT, payload BLOB)`);
  const rows = Math.round((megabytes * 1024 * 1024) / 1060);
  const insert = database.prepare('INSERT INTO orders (customer, note, payload) VALUES (?, ?, ?)');
  for (let done = 0; done < rows; done += 20_000) {
    database.transaction(() => {
      for (let n = 0; n < 20_000 && done + n < rows; n++) {
        insert.run(n, `order ${n} `.repeat(40), Buffer.from(String(Math.random()).repeat(28)));
      }
    })();
  }
  return { database, rows };
}

function update({ database, rows }, { oneByOne }) {
  const touch = database.prepare('UPDATE orders SET customer = customer + 1 WHERE id = ?');
  const all = () => {
    for (let n = 0; n < updates; n++) touch.run(1 + Math.floor(Math.random() * rows));
  };
  if (oneByOne) all();
  else database.transaction(all)();
}

/** Processor seconds of the workers that a daemon has seen the end of. */
function workerSeconds({ child }) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

async function measure(name, fullScanEveryMs) {
  const data = join(root, name, 'data');
  mkdirSync(data, { recursive: true });
  const application = makeDatabase(join(data, 'app.db'));
  const source = {
    name: 'app',
    roots: [data],
    databases: { fullScanEveryMs },
    watch: { enabled: false },
    schedules: [],
  };
  const daemon = await startDaemon(configure(join(root, name, 'home'), [source]));
  const rows = [];
  const snapshot = (what, ...args) => {
    const before = workerSeconds(daemon);
    const { ms, stdout } = daemon.command('backup', '--json', ...args);
    const { statistics, databases } = JSON.parse(stdout).stats;
    rows.push({
      what,
      readBytes: statistics?.readBytes ?? 0,
      seconds: workerSeconds(daemon) - before,
      checkMs: databases?.[0].method === 'pinned' ? databases[0].check.durationMs : 0,
      ms,
    });
  };
  snapshot('first snapshot');
  // What stands in the log at a snapshot is what the next one goes by.
  update(application, { oneByOne: false });
  snapshot(`${updates} rows in one transaction`);
  update(application, { oneByOne: false });
  snapshot('the same again');
  update(application, { oneByOne: true });
  snapshot(`${updates} rows, a transaction each`);
  snapshot('nothing changed');
  snapshot('nothing changed, --if-changed', '--if-changed');
  application.database.close();
  await daemon.end();
  return rows;
}

try {
  const on = await measure('on', '1d');
  const off = await measure('off', 0);
  const megabyte = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  const cells = ({ readBytes, seconds, checkMs, ms }) =>
    `${megabyte(readBytes)} | ${seconds.toFixed(2)} s (check ${(checkMs / 1000).toFixed(2)} s) | ${(ms / 1000).toFixed(2)} s`;
  const table = [
    '|  | read, by the log | processor | wall | read, in full | processor | wall |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...on.map((row, index) => `| ${row.what} | ${cells(row)} | ${cells(off[index])} |`),
  ].join('\n');
  const text = `# What a snapshot costs after a change

${table}

A database of ${megabytes} MB in WAL mode, its application connected all the time; processor time is that of the worker,
all its threads, SQLite's \`quick_check\` included; wall times are those of the command. ${cpus().length} cores, Node ${process.version}.
The processor time of \`quick_check\` is given as its duration.

Command: \`npm run bench:change-map -- --megabytes ${megabytes} --updates ${updates}\`
`;
  process.stdout.write(`${table}\n`);
  writeFileSync(fileURLToPath(new URL('./change-map-bench.md', import.meta.url)), text);
} finally {
  rmSync(root, { recursive: true, force: true });
}
