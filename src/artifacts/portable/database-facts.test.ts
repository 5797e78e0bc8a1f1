import { truncateSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FactQueries, NO_QUERIES, readFacts } from './database-facts.ts';
import { objectionsToContent, objectionsToFile, objectionsToUse, requireSane } from './sanity.ts';

let directory: string;
let path: string;
let warnings: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'facts-'));
  path = join(directory, 'app.db');
  warnings = [];
  const database = new Database(path);
  database.pragma('page_size = 8192');
  database.pragma("encoding = 'UTF-16le'");
  database.pragma('auto_vacuum = INCREMENTAL');
  database.exec(`
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body);
    CREATE TABLE links (note REFERENCES notes(id));
    CREATE TABLE state (name PRIMARY KEY, value) WITHOUT ROWID;
    CREATE VIRTUAL TABLE search USING fts5(body);
    CREATE VIEW boom AS SELECT * FROM missing;
    INSERT INTO notes VALUES (1, 'one'), (2, 'two');
    INSERT INTO links VALUES (1);
    INSERT INTO state VALUES ('cursor', '18446744073709551615'), ('migration', '0007_tags'), ('model', '2.1');
  `);
  database.pragma('user_version = 7');
  database.pragma('application_id = 1234');
  database.close();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const value = (name: string): string => `SELECT value FROM state WHERE name = '${name}'`;
const read = (queries: Partial<FactQueries> = {}) =>
  readFacts(path, { ...NO_QUERIES, ...queries }, (message) => warnings.push(message));

function change(sql: string): void {
  const database = new Database(path);
  database.pragma('foreign_keys = OFF');
  database.exec(sql);
  database.close();
}

describe('the facts of a manifest', () => {
  it('C-09, C-10, C-22, C-D4, C-D5, C-D6: versions, cursor, pragmas and counts, read in one transaction', () => {
    const facts = read({
      modelVersionQuery: value('model'),
      migrationVersionQuery: value('migration'),
      cursorQuery: value('cursor'),
    });
    expect(facts).toEqual({
      modelVersion: '2.1',
      schemaVersion: 7,
      migrationVersion: '0007_tags',
      cursor: '18446744073709551615',
      pragmas: {
        userVersion: 7,
        applicationId: 1234,
        pageBytes: 8192,
        encoding: 'UTF-16le',
        autoVacuum: 'incremental',
      },
      tables: [
        { name: 'links', rows: 1 },
        { name: 'notes', rows: 2 },
        { name: 'state', rows: 3 },
      ],
      foreignKeyViolations: 0,
    });
  });

  it('C-10: a cursor that is none is noted as unknown, with a warning; an integer of the database keeps all digits', () => {
    expect(read({ cursorQuery: 'SELECT 9223372036854775807' }).cursor).toBe('9223372036854775807');
    expect(warnings).toEqual([]);
    for (const sql of [
      'SELECT -1',
      "SELECT 'seven'",
      "SELECT '18446744073709551616'",
      'SELECT 1.5',
    ]) {
      expect(read({ cursorQuery: sql }).cursor, sql).toBeNull();
    }
    expect(warnings).toHaveLength(4);
    expect(read({ cursorQuery: 'SELECT value FROM state WHERE 0' }).cursor).toBeNull();
  });

  it('C-09: a query that is none, or cannot be answered, is an error that names it', () => {
    for (const sql of ['SELECT * FROM missing', 'DELETE FROM notes', "SELECT 'x'"]) {
      const asked = () => read({ modelVersionQuery: sql });
      expect(asked, sql).toThrowError(expect.objectContaining({ code: 'SANITY_FAILED' }));
    }
    expect(read().tables).toHaveLength(3);
  });
});

describe('sanity', () => {
  const EXPECTATIONS = { requiredTables: ['notes', 'users'], minRows: { notes: 3, links: 1 } };

  it('C-15, C-D10: names all that is wrong: integrity, foreign keys, required tables, rows', () => {
    const facts = read();
    expect(objectionsToFile(path)).toEqual([]);
    expect(objectionsToUse(facts, { requiredTables: ['notes'], minRows: { notes: 2 } }, 0)).toEqual(
      [],
    );
    change('INSERT INTO links VALUES (99)');
    const objections = objectionsToUse(read(), EXPECTATIONS, 0);
    expect(objections).toEqual([
      expect.stringContaining('foreign key check: 1'),
      expect.stringContaining('"users" is required'),
      expect.stringContaining('"notes" has 2 rows'),
    ]);
    expect(objectionsToUse(read(), { requiredTables: [], minRows: {} }, 1)).toEqual([]);
    expect(() => requireSane('a.snap', objections)).toThrowError(
      expect.objectContaining({ code: 'SANITY_FAILED', details: { objections, count: 3 } }),
    );
    truncateSync(path, 3 * 8192);
    expect(objectionsToFile(path)[0]).toContain('integrity check');
  });

  it('C-D10: a foreign key that SQLite cannot follow counts as one, and does not stop the look', () => {
    change('CREATE TABLE loose (a); CREATE TABLE child (a REFERENCES loose(a))');
    change('INSERT INTO child VALUES (1), (2)');
    expect(read().foreignKeyViolations).toBe(1);
  });

  it('C-D5: rows, tables and pragmas that are not those of the manifest are noticed', () => {
    const manifest = read();
    expect(objectionsToContent(manifest, read())).toEqual([]);
    change('DELETE FROM notes WHERE id = 2; DROP TABLE links; CREATE TABLE more (a)');
    change('PRAGMA user_version = 8');
    expect(objectionsToContent(manifest, read())).toEqual([
      '"links" is missing',
      '"notes" has 1 rows, not 2',
      '"more" is not in the manifest',
      'userVersion is 8, not 7',
    ]);
  });
});
