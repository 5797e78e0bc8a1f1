import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { createDatabase, type Layout } from '../../../sqlite/btree/testing/layout.ts';

/** Bytes of the files of one database, by what their names end in. */
export type FamilyBytes = Readonly<Record<Ending, Buffer | null>>;

export type Ending = '' | '-wal' | '-journal';

export interface FamilyShape extends Layout {
  /** What a crash left beside the database. */
  readonly beside: 'nothing' | 'wal' | 'journal';
}

const PAGE_BYTES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const ENCODINGS = ['UTF-8', 'UTF-16le', 'UTF-16be'] as const;
const BESIDE = ['nothing', 'wal', 'journal'] as const;

/** Every page size with every encoding, auto-vacuum and file beside it. */
export const SHAPES: readonly FamilyShape[] = PAGE_BYTES.flatMap((pageBytes, size) =>
  ENCODINGS.flatMap((encoding) =>
    ([0, 1, 2] as const).flatMap((autoVacuum, vacuum) =>
      BESIDE.map((beside, index) => ({
        pageBytes,
        encoding,
        autoVacuum,
        beside,
        reservedBytes: [0, 0, 8, 32][(size + vacuum + index) % 4]!,
        schemaFormat: ([4, 4, 1, 4] as const)[(size + index) % 4]!,
      })),
    ),
  ),
);

const count = (rows: number, sql: string): string =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) ${sql};`;

const TABLES = `
  CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, size INTEGER, data);
  CREATE INDEX notes_body ON notes(body);
  CREATE TABLE codes(code TEXT UNIQUE, price REAL);
  CREATE TABLE pairs(key TEXT, part INTEGER, value, PRIMARY KEY(key, part)) WITHOUT ROWID;
  CREATE TABLE made(a INTEGER, v AS (a * 2), s AS (a + 1) STORED);
  CREATE VIEW bodies AS SELECT body FROM notes;
  CREATE TRIGGER gone AFTER DELETE ON notes BEGIN DELETE FROM made WHERE a = old.id; END;
  CREATE VIRTUAL TABLE search USING fts5(text);
  CREATE TABLE dropped(x);`;

function fill(db: Database.Database, pageBytes: number): void {
  const long = pageBytes * 3;
  db.exec(`BEGIN;
    ${count(90, `INSERT INTO notes(body, size, data) SELECT 'note ' || i || substr(hex(zeroblob(90)), 1, i), i * 1000003, CASE i % 30 WHEN 0 THEN zeroblob(${long}) WHEN 1 THEN hex(zeroblob(${long})) END FROM n`)}
    ${count(60, "INSERT INTO codes SELECT 'code ' || i, i / 7.0 FROM n")}
    ${count(80, "INSERT INTO pairs SELECT 'key ' || (i % 9), i, CASE i % 20 WHEN 0 THEN hex(zeroblob(900)) ELSE i END FROM n")}
    ${count(20, 'INSERT INTO made(a) SELECT i FROM n')}
    ${count(20, "INSERT INTO search SELECT 'word' || i || ' common' FROM n")}
    ${count(200, "INSERT INTO dropped SELECT 'dropped row ' || i FROM n")}
    COMMIT; DROP TABLE dropped; DELETE FROM notes WHERE id % 11 = 4;`);
}

const CHANGE = `UPDATE notes SET body = body || ' changed' WHERE id % 5 = 1; DELETE FROM pairs WHERE part % 8 = 3;
  INSERT INTO notes(body, data) VALUES('late', hex(zeroblob(3000))); INSERT INTO search VALUES('late');`;

/** Makes a database of the shape, as it lies on disk after a crash, the transaction of a journal cut short. */
export function makeFamily(shape: FamilyShape, directory: string): FamilyBytes {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'sound.db');
  const db = createDatabase(path, shape);
  try {
    db.exec(TABLES);
    fill(db, shape.pageBytes);
    if (shape.beside === 'wal') {
      db.pragma('journal_mode = WAL');
      db.pragma('wal_autocheckpoint = 0');
      db.exec(CHANGE);
    } else if (shape.beside === 'journal') {
      db.pragma('journal_mode = DELETE');
      db.pragma('cache_size = 2');
      db.exec(`BEGIN; ${CHANGE} ${CHANGE}`);
    }
    const read = (ending: string): Buffer | null =>
      existsSync(`${path}${ending}`) ? readFileSync(`${path}${ending}`) : null;
    return { '': read(''), '-wal': read('-wal'), '-journal': read('-journal') };
  } finally {
    db.close();
    rmSync(directory, { recursive: true });
  }
}
