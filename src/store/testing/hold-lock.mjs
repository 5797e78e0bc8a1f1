// Holds the exclusive lock of a lock database until it is killed.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.exec('BEGIN EXCLUSIVE');
process.send('locked');
process.stdin.resume();
process.on('disconnect', () => process.exit());
