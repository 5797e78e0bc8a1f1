import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import Database from 'better-sqlite3';

export const ROWS = 60;

/** A database of ROWS rows in `rows`, as a crash in the middle of a change of all of them left it. */
export function makeHotFamily(path: string, mode: 'rollback' | 'wal' = 'rollback'): void {
  const work = `${path}.work`;
  const database = new Database(work);
  database.pragma('synchronous = OFF');
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body)');
  const add = database.prepare('INSERT INTO rows (body) VALUES (randomblob(3000))');
  database.transaction(() => {
    for (let row = 0; row < ROWS; row += 1) add.run();
  })();
  // With it the journal says how many pages it saved before any of them changes.
  database.pragma('synchronous = NORMAL');
  database.pragma('cache_size = 10');
  database.exec(
    'BEGIN; DELETE FROM rows WHERE id % 2 = 0; UPDATE rows SET body = randomblob(3000)',
  );
  copyFileSync(work, path);
  copyFileSync(`${work}-journal`, `${path}-journal`);
  database.close();
  for (const suffix of ['', '-journal']) rmSync(`${work}${suffix}`, { force: true });
  if (mode === 'wal') {
    const bytes = readFileSync(path);
    bytes[18] = 2;
    bytes[19] = 2;
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }
}

/** Has a journal say that it is part of a transaction of several files. */
export function nameSuperJournal(journal: string, name: string): void {
  const bytes = Buffer.from(name);
  const end = Buffer.alloc(16);
  end.writeUInt32BE(bytes.length, 0);
  // SQLite adds its bytes up as signed ones.
  const sum = bytes.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
  end.writeUInt32BE(sum >>> 0, 4);
  Buffer.from('d9d505f920a163d7', 'hex').copy(end, 8);
  appendFileSync(journal, Buffer.concat([Buffer.from([0, 64, 0, 1]), bytes, end]));
}
