/**
 * An ordinary application: it moves money between accounts, appends blobs, checkpoints now and then, and never
 * pauses. Whatever moment one looks at, the sum over all accounts is ACCOUNTS × START_BALANCE.
 *
 *   node bank-writer.mjs <database> <journal mode> <seed>
 *
 * Prints one line `ready` after the schema is there, and a line with the number of commits on SIGTERM.
 */
import Database from 'better-sqlite3';

const [path, journalMode, seedText] = process.argv.slice(2);
const ACCOUNTS = 100;
const START_BALANCE = 1000;
let seed = Number(seedText) >>> 0 || 1;
const random = (below) => {
  // xorshift32: enough to spread writes, and replayable.
  seed ^= seed << 13;
  seed >>>= 0;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  seed >>>= 0;
  return seed % below;
};

/** SQLite's own waiting polls ever more rarely, and starves beside a writer that never pauses: poll without a pause. */
function insist(run) {
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!String(error.code).startsWith('SQLITE_BUSY')) throw error;
    }
  }
}

const database = new Database(path, { timeout: 0 });
insist(() => database.pragma(`journal_mode = ${journalMode}`));
database.pragma('synchronous = NORMAL');
const setUp = database.transaction(() => {
  database.exec(`
    CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS transfers (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, amount INTEGER, note BLOB);
    CREATE INDEX IF NOT EXISTS transfers_source ON transfers (source, target);
  `);
  const insert = database.prepare('INSERT OR IGNORE INTO accounts (id, balance) VALUES (?, ?)');
  for (let id = 1; id <= ACCOUNTS; id++) insert.run(id, START_BALANCE);
});
insist(() => setUp.immediate());
database.pragma('busy_timeout = 20000');

const take = database.prepare('UPDATE accounts SET balance = balance - ? WHERE id = ?');
const give = database.prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
const note = database.prepare(
  'INSERT INTO transfers (source, target, amount, note) VALUES (?, ?, ?, randomblob(?))',
);
const trim = database.prepare(
  'DELETE FROM transfers WHERE id IN (SELECT id FROM transfers ORDER BY id LIMIT 20)',
);
const count = database.prepare('SELECT count(*) AS count FROM transfers');
const transfer = database.transaction((from, to, amount) => {
  take.run(amount, from);
  give.run(amount, to);
  note.run(from, to, amount, random(6000));
  if (count.get().count > 3000) trim.run();
});

let commits = 0;
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});
process.stdout.write('ready\n');

function work() {
  if (stopping) {
    process.stdout.write(`${commits}\n`);
    database.close();
    return;
  }
  for (let n = 0; n < 5; n++) {
    try {
      transfer.immediate(1 + random(ACCOUNTS), 1 + random(ACCOUNTS), random(50));
      commits += 1;
      if (journalMode === 'wal' && random(40) === 0) {
        database.pragma(`wal_checkpoint(${['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'][random(4)]})`);
      }
    } catch (error) {
      if (!String(error.code).startsWith('SQLITE_BUSY')) throw error;
    }
  }
  setImmediate(work);
}
work();
