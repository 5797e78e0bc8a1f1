/**
 * Back from ten damaged pages of a large database, with writes since the snapshot, beside restoring it whole.
 *
 *   npm run bench:large-recovery -- [--megabytes 1024] [--pages 10] [--directory DIR]
 *
 * Prints the figures and writes them, with their conditions, to bench/large-recovery-bench.md. Fails where recovery is
 * not the faster way, loses a row that was not on a damaged page, or installs what fails SQLite's integrity_check.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    pages: { type: 'string', default: '10' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const megabytes = Number(options.megabytes);
const damagedPages = Number(options.pages);
const project = fileURLToPath(new URL('..', import.meta.url));
const root = mkdtempSync(join(options.directory, 'holdfast-bench-'));
const data = join(root, 'data');
const databasePath = join(data, 'app.db');
const truthPath = join(root, 'truth.db');
const WRITES = 1_000;

/** Numbers below `below`, the same ones in every run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
const random = numbers(42);
const words = Array.from({ length: 4096 }, () => random(2 ** 31).toString(36));
const text = (count) => Array.from({ length: count }, () => words[random(4096)]).join(' ');

function blob(bytes) {
  const made = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) made.writeUInt32LE(random(2 ** 32), at);
  return made;
}

/** A chat: messages with their index, users, JSON settings, attachments that overflow their page. */
const SCHEMA = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, profile TEXT NOT NULL);
  CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, author INTEGER NOT NULL REFERENCES users(id),
    at INTEGER NOT NULL, body TEXT NOT NULL, meta TEXT NOT NULL);
  CREATE INDEX messages_author ON messages (author, at);
  CREATE TABLE attachments (id INTEGER PRIMARY KEY, message INTEGER NOT NULL, content BLOB NOT NULL);
  CREATE INDEX attachments_message ON attachments (message);
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`;

const USERS = 20_000;
/** With its index entry and its share of the attachments. */
const MESSAGE_BYTES = 890;

function insertMessages(database, count) {
  const message = database.prepare(
    'INSERT INTO messages (author, at, body, meta) VALUES (?, ?, ?, ?)',
  );
  const attachment = database.prepare('INSERT INTO attachments (message, content) VALUES (?, ?)');
  for (let done = 0; done < count; done += 20_000) {
    database.transaction(() => {
      for (let n = done; n < Math.min(count, done + 20_000); n += 1) {
        const meta = JSON.stringify({ likes: random(100), tags: [text(1), text(1)] });
        const author = 1 + random(USERS);
        const { lastInsertRowid } = message.run(author, n, text(60), meta);
        if (n % 100 === 0) attachment.run(lastInsertRowid, blob(32_000));
      }
    })();
  }
}

function makeDatabase() {
  mkdirSync(data);
  const database = new Database(databasePath);
  database.pragma('synchronous = OFF');
  database.exec(SCHEMA);
  const user = database.prepare('INSERT INTO users (name, profile) VALUES (?, ?)');
  const setting = database.prepare('INSERT INTO settings VALUES (?, ?)');
  database.transaction(() => {
    for (let n = 0; n < USERS; n += 1) {
      user.run(`user ${n}`, JSON.stringify({ about: text(20) }));
      setting.run(`user ${(n * 7919) % USERS} theme`, JSON.stringify({ dark: n % 2 === 0 }));
    }
  })();
  insertMessages(database, Math.round((megabytes * 1024 * 1024) / MESSAGE_BYTES));
  database.close();
}

/** The application's work since the snapshot. */
function writeRows() {
  const database = new Database(databasePath);
  insertMessages(database, WRITES);
  database.close();
}

/** Leaf pages of tables and of indexes, from all over the file. */
function leafPages() {
  const database = new Database(databasePath, { readonly: true });
  const pageBytes = database.pragma('page_size', { simple: true });
  const pageCount = database.pragma('page_count', { simple: true });
  database.close();
  const handle = openSync(databasePath, 'r');
  const pick = numbers(7);
  const found = [];
  const type = Buffer.alloc(1);
  const wanted = [0x0d, 0x0d, 0x0d, 0x0a];
  while (found.length < damagedPages) {
    const page = 2 + pick(pageCount - 2);
    readSync(handle, type, 0, 1, (page - 1) * pageBytes);
    if (type[0] === wanted[found.length % wanted.length] && !found.includes(page)) found.push(page);
  }
  closeSync(handle);
  return { pages: found, pageBytes };
}

/** Half are zeroed, half are overwritten with noise. */
function damage() {
  const { pages, pageBytes } = leafPages();
  const handle = openSync(databasePath, 'r+');
  for (const [index, page] of pages.entries()) {
    const bytes = index % 2 === 0 ? Buffer.alloc(pageBytes) : blob(pageBytes);
    writeSync(handle, bytes, 0, pageBytes, (page - 1) * pageBytes);
  }
  fsyncSync(handle);
  closeSync(handle);
  return pages;
}

const bin = join(project, 'bin/holdfast');
const config = join(root, 'holdfast.json');

/** Runs a command to its end; returns its wall time, its document and when each phase was first heard of. */
async function holdfast(...args) {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, HOLDFAST_CONFIG: config },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.on('data', (piece) => (stdout += piece));
  const phases = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    phases.push({ ms: performance.now() - startedMs, line });
  });
  const [code] = await once(child, 'close');
  const ms = performance.now() - startedMs;
  if (code !== 0 && code !== 3)
    throw new Error(
      `${args.join(' ')}: ${code}\n${stdout}\n${phases.map(({ line }) => line).join('\n')}`,
    );
  return { ms, stdout, phases };
}

function writeConfig() {
  writeFileSync(
    config,
    JSON.stringify({
      stateDirectory: join(root, 'state'),
      repositoryDirectory: join(root, 'repository'),
      socketPath: join(root, 'socket'),
      sources: [
        {
          name: 'app',
          roots: [{ class: 'data', path: data }],
          watch: { enabled: false },
          schedules: [],
        },
      ],
    }),
  );
}

/** Rows of the truth that are not there as they were, and what integrity_check says. */
function compare() {
  const database = new Database(databasePath, { readonly: true });
  database.prepare('ATTACH ? AS truth').run(truthPath);
  const tables = ['users', 'messages', 'attachments', 'settings'];
  let wrong = 0;
  for (const table of tables) {
    for (const [from, other] of [
      ['truth', 'main'],
      ['main', 'truth'],
    ]) {
      const key = table === 'settings' ? 'key' : 'id';
      const sql = `SELECT count(*) FROM ${from}.${table} AS a LEFT JOIN ${other}.${table} AS b ON a.${key} = b.${key}
        WHERE b.${key} IS NULL`;
      wrong += database.prepare(sql).pluck().get();
    }
  }
  const changed = `SELECT count(*) FROM truth.messages AS a JOIN main.messages AS b USING (id)
    WHERE a.body <> b.body OR a.meta <> b.meta OR a.author <> b.author`;
  wrong += database.prepare(changed).pluck().get();
  const integrity = database.pragma('integrity_check', { simple: true });
  database.close();
  return { wrong, integrity };
}

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

/** When each phase was first told of; lines come at most once a second. */
function phaseList(phases) {
  const told = phases.map(({ ms, line }) => `${seconds(ms)} ${line.split(/ \d+%| \d+\//)[0]}`);
  return told.filter((each) => !/recovered|STATE/.test(each)).join(', ');
}

function reportOf({ bytes, pages, recovery, outcome, restore, restored, reason }) {
  return `# A large database with damaged pages: recovery beside restoring it whole

| | time | rows that are not as they were | integrity_check |
| --- | --- | --- | --- |
| \`holdfast recover --if-needed\` | ${seconds(recovery.ms)} | ${outcome.wrong} | ${outcome.integrity} |
| \`holdfast restore latest --in-place\` | ${seconds(restore.ms)} | ${restored.wrong} | ${restored.integrity} |

What recovery did: ${reason}

First told on the way: ${phaseList(recovery.phases)}.

Conditions: ${(bytes / 1e6).toFixed(0)} MB of messages, users, JSON settings (WITHOUT ROWID), attachments of 32 kB on overflow pages, and four
indexes; a snapshot; ${WRITES} messages more; then ${pages.length} leaf pages of tables and indexes zeroed or overwritten with noise.
Times are those of whole commands, from the start of the program to its end, without a daemon; the file is in the page
cache. The restore keeps what it replaces in a snapshot and checks what it brings back.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}; load average
${loadavg()[0].toFixed(1)} at the end.

Command: \`npm run bench:large-recovery -- --megabytes ${megabytes} --pages ${damagedPages}\`
`;
}

/** From the report that recovery leaves. */
function reasonOf() {
  const directory = join(root, 'state/recovery');
  const newest = readdirSync(directory).sort().at(-1);
  const { reason } = JSON.parse(readFileSync(join(directory, newest), 'utf8'));
  return reason.replace(/ of \d{4}-[^:]*:\d\d:[^:]*:/, ':');
}

try {
  writeConfig();
  makeDatabase();
  const bytes = statSync(databasePath).size;
  await holdfast('backup', '--wait', '--json');
  writeRows();
  copyFileSync(databasePath, truthPath, constants.COPYFILE_FICLONE);
  const pages = damage();
  const damagedPath = join(root, 'damaged.db');
  copyFileSync(databasePath, damagedPath, constants.COPYFILE_FICLONE);

  const recovery = await holdfast('recover', '--if-needed', '--json');
  const reason = reasonOf();
  const outcome = compare();
  // The second contender starts from the same damage.
  copyFileSync(damagedPath, databasePath);
  const restore = await holdfast('restore', 'latest', '--in-place', '--yes', '--json');
  const restored = compare();

  const report = reportOf({ bytes, pages, recovery, outcome, restore, restored, reason });
  console.log(report);
  if (megabytes >= 1024) {
    writeFileSync(join(project, 'bench/large-recovery-bench.md'), report);
  }
  const kept = outcome.integrity === 'ok' && outcome.wrong === 0;
  if (recovery.ms >= restore.ms || !kept) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
