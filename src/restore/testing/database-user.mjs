/** Opens a database, says `ready` once it has read it, and keeps it open, idle, until its input ends. */
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { fileMustExist: true });
database.prepare('SELECT count(*) FROM sqlite_schema').get();
process.stdout.write('ready\n');
process.stdin.on('end', () => {
  database.close();
});
process.stdin.resume();
