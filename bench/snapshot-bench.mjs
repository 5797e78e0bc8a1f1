/**
 * Holdfast beside restic on one application database, step by step in turn, several rounds; borg and sqlite3's
 * .backup once, for orientation.
 *
 *   npm run bench -- [--megabytes 1024] [--updates 1000] [--rounds 5] [--others] [--keep]
 *
 * Prints one table of medians with the goals and writes it, with its conditions, to bench/snapshot-bench.md. The
 * database is still while it is copied, so that the peers, which copy files as they find them, copy a consistent one:
 * they are compared at what they are good at.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
import Database from 'better-sqlite3';
import { directoryBytes } from './directory-bytes.mjs';
import { peakOfWorkers } from './peak-memory.mjs';
import { configure, median, project, run, startDaemon } from './running-daemon.mjs';
import { makeShopDatabase } from './shop-database.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    updates: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    others: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const megabytes = Number(options.megabytes);
const updates = Number(options.updates);
const rounds = Number(options.rounds);
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const data = join(root, 'data');
const databasePath = join(data, 'app.db');
const loadBefore = loadavg()[0];

let state = 7;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

/** The application's work between two snapshots: one number changed in each of `updates` random rows. */
function updateRows(database, rows) {
  const update = database.prepare('UPDATE orders SET customer = customer + 1 WHERE id = ?');
  database.transaction(() => {
    for (let n = 0; n < updates; n++) update.run(1 + random(rows));
  })();
}

/** Appends rows of random words; returns what they take by themselves, compressed. */
function appendRows(database) {
  const insert = database.prepare('INSERT INTO orders (customer, note, payload) VALUES (?, ?, ?)');
  const all = [];
  database.transaction(() => {
    for (let n = 0; n < updates; n++) {
      const note = Array.from({ length: 80 }, () => random(2 ** 31).toString(36)).join(' ');
      const payload = Buffer.alloc(400);
      for (let at = 0; at < 400; at += 4) payload.writeUInt32LE(random(2 ** 32), at);
      insert.run(random(100_000), note, payload);
      all.push(Buffer.from(note), payload);
    }
  })();
  const params = { [constants.BROTLI_PARAM_QUALITY]: 1 };
  return brotliCompressSync(Buffer.concat(all), { params }).length;
}

async function holdfast(home) {
  const daemon = await startDaemon(configure(join(home, 'holdfast'), [['app', data]]));
  const { command, repository, end, child } = daemon;
  const withMemory = (work) => peakOfWorkers(child.pid, work);
  return {
    name: 'Holdfast',
    repository,
    snapshot: () => withMemory(() => command('backup', '--wait', '--json')),
    restore: (target) => withMemory(() => command('restore', 'latest', '--to', target, '--json')),
    check: () => withMemory(() => command('check', '--read-data-subset', '100%', '--json')),
    end,
  };
}

function restic(home) {
  const repository = join(home, 'restic');
  const env = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(home, 'restic-cache'),
  };
  run('restic', ['init'], env);
  return {
    name: 'restic',
    repository,
    snapshot: () => run('restic', ['backup', '--quiet', data], env),
    restore: (target) => run('restic', ['restore', 'latest', '--quiet', '--target', target], env),
    check: () => run('restic', ['check', '--quiet', '--read-data'], env),
    end: () => {},
  };
}

function borg(home) {
  const repository = join(home, 'borg');
  const env = {
    BORG_REPO: repository,
    BORG_BASE_DIR: join(home, 'borg-base'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  run('borg', ['init', '--encryption', 'none'], env);
  let count = 0;
  return {
    name: 'borg',
    repository,
    snapshot: () => run('borg', ['create', `::snapshot-${++count}`, data], env),
    restore: (target) => {
      mkdirSync(target);
      return run('sh', ['-c', `cd '${target}' && borg extract ::snapshot-${count}`], env);
    },
    check: () => run('borg', ['check', '--verify-data'], env),
    end: () => {},
  };
}

/** Whole copies: what one has without a tool. */
function sqliteBackup(home) {
  const repository = join(home, 'copies');
  mkdirSync(repository);
  let count = 0;
  const newest = () => join(repository, `${count}.db`);
  return {
    name: 'sqlite3 .backup',
    repository,
    snapshot: () => {
      count += 1;
      return run('sqlite3', [databasePath, `.backup '${newest()}'`]);
    },
    restore: (target) => {
      mkdirSync(target);
      return run('sqlite3', [newest(), `.backup '${join(target, 'app.db')}'`]);
    },
    check: () => run('sqlite3', [newest(), 'PRAGMA integrity_check']),
    end: () => {},
  };
}

/** Each step by every contender, next to each other, so that a busy moment of the machine meets all. */
async function measureRound(round, makers) {
  rmSync(databasePath, { force: true });
  const rows = makeShopDatabase(databasePath, megabytes);
  const home = join(root, `round-${round}`);
  mkdirSync(home);
  const contenders = [];
  for (const make of makers) contenders.push(await make(home));
  if (round % 2 === 1) contenders.reverse();
  const figures = new Map(contenders.map(({ name }) => [name, { memoryBytes: 0 }]));
  const step = (label, work) => {
    for (const contender of contenders) {
      // What one left to be written must not slow the next one down.
      run('sync', []);
      const before = directoryBytes(contender.repository);
      const { ms, memoryBytes = 0 } = work(contender);
      const own = figures.get(contender.name);
      own[label] = ms;
      own[`${label}Bytes`] = directoryBytes(contender.repository) - before;
      own.memoryBytes = Math.max(own.memoryBytes, memoryBytes);
    }
  };
  const snapshot = (contender) => contender.snapshot();
  step('first', snapshot);
  step('unchanged', snapshot);
  let database = new Database(databasePath);
  updateRows(database, rows);
  database.close();
  step('updated', snapshot);
  // From here on the application stays connected, in WAL mode: the log says what changed.
  database = new Database(databasePath);
  database.pragma('journal_mode = WAL');
  database.pragma('wal_autocheckpoint = 100000');
  updateRows(database, rows);
  for (const contender of contenders) contender.snapshot();
  updateRows(database, rows);
  step('logged', snapshot);
  const rowBytes = appendRows(database);
  step('appended', snapshot);
  database.close();
  for (const own of figures.values()) own.rowBytes = rowBytes;
  step('restore', ({ name, restore }) => restore(join(home, `restored-${name}`)));
  step('check', ({ check }) => check());
  for (const contender of contenders) await contender.end();
  rmSync(home, { recursive: true });
  return figures;
}

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const mega = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
const line = (cells) => `| ${cells.join(' | ')} |`;

function goals(all) {
  const middle = (name, label) => median(all.map((figures) => figures.get(name)[label]));
  const timed = (work, label, goal) => {
    const [ours, theirs] = [middle('Holdfast', label), middle('restic', label)];
    const ratios = all.map((each) => each.get('Holdfast')[label] / each.get('restic')[label]);
    return [work, seconds(ours), seconds(theirs), median(ratios).toFixed(3), `≤ ${goal}`];
  };
  const added = (work, label, goal) => {
    const [ours, theirs] = [middle('Holdfast', `${label}Bytes`), middle('restic', `${label}Bytes`)];
    return [work, mega(ours), mega(theirs), `1/${(theirs / ours).toFixed(0)}`, goal];
  };
  const appended = middle('Holdfast', 'appendedBytes');
  const compressed = middle('Holdfast', 'rowBytes');
  const rows = [
    timed('first snapshot', 'first', 0.45),
    [
      'nothing changed, by command',
      seconds(middle('Holdfast', 'unchanged')),
      seconds(middle('restic', 'unchanged')),
      '',
      '≤ 0.15 s',
    ],
    timed(`${updates} updates, by scanning`, 'updated', 0.25),
    timed(`${updates} updates, by the change map`, 'logged', 0.05),
    added(`bytes added by ${updates} updates`, 'updated', '≤ 1/300'),
    [
      `bytes added by ${updates} appended rows`,
      mega(appended),
      mega(middle('restic', 'appendedBytes')),
      `${(appended / compressed).toFixed(2)} × the rows, compressed`,
      '≤ 3 ×',
    ],
    timed('restore, verified', 'restore', 0.6),
    timed('check of all data', 'check', 0.6),
    ['memory of the worker, at most', mega(middle('Holdfast', 'memoryBytes')), '', '', '≤ 200 MB'],
  ];
  const head = ['work', 'Holdfast', 'restic', 'Holdfast ÷ restic', 'goal'];
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function once(figures) {
  const labels = ['first', 'unchanged', 'updated', 'restore', 'check'];
  const head = ['', ...labels, 'stored', `added by ${updates} updates`];
  const rows = [...figures].map(([name, own]) => [
    name,
    ...labels.map((label) => seconds(own[label])),
    mega(own.firstBytes),
    mega(own.updatedBytes),
  ]);
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const versionOf = (program, argument) => run(program, [argument]).stdout.split('\n')[0];

try {
  mkdirSync(data);
  const all = [];
  for (let round = 0; round < rounds; round++) {
    all.push(await measureRound(round, [holdfast, restic]));
    console.error(`round ${round + 1} of ${rounds}`);
  }
  const others = options.others ? await measureRound(rounds, [borg, sqliteBackup]) : null;
  const databaseBytes = statSync(databasePath).size;
  const report = `# Snapshots beside peers

${goals(all)}
${others === null ? '' : `\nOnce, for orientation:\n\n${once(others)}\n`}
Conditions: one database of ${mega(databaseBytes)} (rows of text and random bytes, one index), ${updates} random
single-row updates or appended rows in one transaction; medians of ${rounds} rounds with fresh repositories, the
contenders taking turns step by step, the disk synced before each, ratios of each round by themselves; whole commands, the page cache warm; bytes
are what the repository directory grew by, everything in it counted. Holdfast's times include the client and a running
daemon's job, and its snapshots SQLite's \`quick_check\`, on which its restore relies; no peer checks a database. restic
encrypts. borg runs without encryption, \`.backup\` keeps whole copies and its check reads the newest alone.
With the application connected restic finds the
database file as it was and reads the log alone, which is all that was written: it copies, Holdfast makes the image as of one moment, and checks it.
Load of the machine before: ${loadBefore.toFixed(1)}.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version};
${versionOf('restic', 'version')}${options.others ? `; ${versionOf('borg', '--version')}; sqlite3 ${versionOf('sqlite3', '--version')}` : ''}.

Command: \`npm run bench -- --megabytes ${megabytes} --updates ${updates} --rounds ${rounds}${options.others ? ' --others' : ''}\`
`;
  console.log(report);
  if (megabytes >= 1024) writeFileSync(join(project, 'bench/snapshot-bench.md'), report);
  const addedBytes = median(all.map((figures) => figures.get('Holdfast').updatedBytes));
  if (megabytes <= 1100 && updates <= 1000 && addedBytes > 1.5e6) {
    console.error(
      `Broken promise: ${mega(addedBytes)} added by ${updates} updates; at most 1.5 MB.`,
    );
    process.exitCode = 1;
  }
} finally {
  if (options.keep) console.log(`Kept: ${root}`);
  else if (existsSync(root)) rmSync(root, { recursive: true, force: true });
}
