// Commits a rising number to the flags of the state.db named on the command line, and prints it once committed.
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.pragma('synchronous = FULL');
const write = database.prepare("INSERT OR REPLACE INTO flags VALUES ('counter', ?)");
for (let counter = 1; ; counter += 1) {
  write.run(String(counter));
  writeSync(1, `${counter}\n`);
}
