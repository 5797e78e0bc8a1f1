import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** Everything that decides how a database lies in its file. */
export interface Layout {
  readonly pageBytes: number;
  readonly encoding: 'UTF-8' | 'UTF-16le' | 'UTF-16be';
  readonly autoVacuum: 0 | 1 | 2;
  readonly reservedBytes: number;
  readonly schemaFormat: 1 | 2 | 3 | 4;
}

export const USUAL_LAYOUT: Layout = {
  pageBytes: 4096,
  encoding: 'UTF-8',
  autoVacuum: 0,
  reservedBytes: 0,
  schemaFormat: 4,
};

/** A new, empty database of the layout, opened. */
export function createDatabase(path: string, layout: Layout): Database.Database {
  const first = new Database(path);
  first.pragma(`page_size = ${layout.pageBytes}`);
  first.pragma(`encoding = '${layout.encoding}'`);
  first.pragma(`auto_vacuum = ${layout.autoVacuum}`);
  first.exec('CREATE TABLE first(x); DROP TABLE first');
  first.exec('VACUUM');
  first.close();
  // No SQL sets these two; in a database without content they are free to choose.
  const bytes = readFileSync(path);
  bytes[20] = layout.reservedBytes;
  bytes.writeUInt16BE((layout.pageBytes - layout.reservedBytes) & 0xffff, 105);
  bytes.writeUInt32BE(layout.schemaFormat, 44);
  writeFileSync(path, bytes);
  const db = new Database(path);
  db.pragma('synchronous = OFF');
  db.pragma('journal_mode = MEMORY');
  return db;
}
