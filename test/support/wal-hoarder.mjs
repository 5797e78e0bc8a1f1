/**
 * An application that never checkpoints: writes <rows> notes of 4,000 bytes each into the WAL, says so, stays.
 *   node wal-hoarder.mjs <database> <rows>
 */
import Database from 'better-sqlite3';

const [path, rows] = process.argv.slice(2);
const database = new Database(path);
database.pragma('journal_mode = WAL');
database.pragma('wal_autocheckpoint = 0');
database.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB)');
const insert = database.prepare('INSERT INTO notes (body) VALUES (randomblob(4000))');
for (let done = 0; done < Number(rows); done += 500) {
  database.transaction(() => {
    for (let n = 0; n < Math.min(500, Number(rows) - done); n++) insert.run();
  })();
}
process.stdout.write('written\n');
process.stdin.resume();
setInterval(() => database.prepare('SELECT 1').get(), 60_000);
