/** An application that has a database open: says so, and lets go when its stdin ends. */
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.pragma('journal_mode = WAL');
database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)');
process.stdout.write('open\n');
process.stdin.resume().once('end', () => database.close());
