/**
 * The bank of bank-writer.mjs as a hostile application: bursts of transfers, checkpoints of every kind, VACUUM, tables
 * written anew, readers that hold the log, the database closed and opened again. The sum over all accounts never changes.
 *
 *   node hostile-bank.mjs <database> <wal | delete> <seed>
 *
 * Prints one line `ready`; on SIGTERM one line of JSON: what it did, and its longest wait for a commit.
 */
import Database from 'better-sqlite3';

const [path, journalMode, seedText] = process.argv.slice(2);
const ACCOUNTS = 100;
const START_BALANCE = 1000;
const ROWS_MAX = 1500;
const PAUSE_MS_MAX = 40;
const READER_MS_MAX = 20_000;
/** What a reader may keep waiting is given up soon: the reader ends in this very process. */
const IMPATIENT_MS = 50;
const BUSY_MS = 20_000;

let state = Number(seedText) >>> 0 || 1;
function random(below) {
  state ^= state << 13;
  state >>>= 0;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % below;
}

const figures = { commits: 0, checkpoints: 0, vacuums: 0, rewrites: 0, readers: 0, reopened: 0 };
let longestWaitMs = 0;
let database = open();
let reader = null;
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

function open() {
  const opened = new Database(path, { timeout: BUSY_MS });
  opened.pragma(`journal_mode = ${journalMode}`);
  opened.pragma('synchronous = NORMAL');
  opened.exec(`
    CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS transfers (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount INTEGER, note BLOB);
    CREATE INDEX IF NOT EXISTS transfers_source ON transfers (source, target);
  `);
  const fill = opened.transaction(() => {
    const insert = opened.prepare('INSERT OR IGNORE INTO accounts (id, balance) VALUES (?, ?)');
    for (let id = 1; id <= ACCOUNTS; id += 1) insert.run(id, START_BALANCE);
  });
  fill.immediate();
  return opened;
}

function transfer() {
  const [from, to, amount] = [1 + random(ACCOUNTS), 1 + random(ACCOUNTS), random(50)];
  const commit = database.transaction(() => {
    database.prepare('UPDATE accounts SET balance = balance - ? WHERE id = ?').run(amount, from);
    database.prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?').run(amount, to);
    database
      .prepare(
        'INSERT INTO transfers (source, target, amount, note) VALUES (?, ?, ?, randomblob(?))',
      )
      .run(from, to, amount, random(6000));
    if (random(50) === 0) {
      database
        .prepare('DELETE FROM transfers WHERE id <= (SELECT max(id) FROM transfers) - ?')
        .run(ROWS_MAX);
    }
  });
  const startMs = performance.now();
  commit.immediate();
  longestWaitMs = Math.max(longestWaitMs, performance.now() - startMs);
  figures.commits += 1;
}

/** What may have to wait for readers: given up where it does. */
function impatiently(name, run) {
  database.pragma(`busy_timeout = ${IMPATIENT_MS}`);
  try {
    run();
    figures[name] += 1;
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_BUSY') && error.code !== 'SQLITE_LOCKED')
      throw error;
  } finally {
    database.pragma(`busy_timeout = ${BUSY_MS}`);
  }
}

const rewrite = () =>
  database
    .transaction(() => {
      database.exec(`
      CREATE TABLE moved AS SELECT * FROM transfers ORDER BY amount;
      DROP TABLE transfers;
      CREATE TABLE transfers (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount INTEGER, note BLOB);
      INSERT INTO transfers SELECT * FROM moved;
      DROP TABLE moved;
      CREATE INDEX transfers_source ON transfers (source, target);
    `);
    })
    .immediate();

function holdReader() {
  if (reader !== null || journalMode !== 'wal') return;
  reader = new Database(path, { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM transfers').get();
  figures.readers += 1;
  setTimeout(releaseReader, random(READER_MS_MAX));
}

function releaseReader() {
  reader?.close();
  reader = null;
}

function reopen() {
  if (reader !== null) return;
  database.close();
  database = open();
  figures.reopened += 1;
}

function disturb() {
  switch (random(120)) {
    case 0:
      return impatiently('vacuums', () => database.exec('VACUUM'));
    case 1:
      return impatiently('rewrites', rewrite);
    case 2:
    case 3:
      return holdReader();
    case 4:
      return reopen();
    case 5:
    case 6:
    case 7:
    case 8: {
      if (journalMode !== 'wal') return;
      const kind = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'][random(4)];
      return impatiently('checkpoints', () => database.pragma(`wal_checkpoint(${kind})`));
    }
  }
}

function work() {
  if (stopping) {
    releaseReader();
    database.close();
    process.stdout.write(`${JSON.stringify({ ...figures, longestWaitMs })}\n`, () =>
      process.exit(),
    );
    return;
  }
  for (let left = 1 + random(10); left > 0; left -= 1) transfer();
  disturb();
  setTimeout(work, random(PAUSE_MS_MAX));
}

process.stdout.write('ready\n');
work();
