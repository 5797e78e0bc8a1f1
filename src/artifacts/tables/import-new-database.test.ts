import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { importNewDatabase, type TableImport } from './import-tables.ts';
import { exported, memory, pieces, withDirectory } from './testing/table-files.ts';

const made = (text: string, path: string, signal?: AbortSignal): Promise<readonly TableImport[]> =>
  importNewDatabase(pieces(text), path, { activity: quietActivity(signal) });

const table = (name: string, sql: unknown, more: Record<string, unknown> = {}): string =>
  `${JSON.stringify({ $table: name, $columns: [{ name: 'a' }], $version: 1, $sql: sql, ...more })}\n[1]\n{"$rows":1}\n`;

describe('importNewDatabase()', () => {
  it('F17, T-33: makes a private, checked file; one that is there stays what it is', () =>
    withDirectory(async (directory) => {
      const { text } = await exported(
        memory(`
        CREATE TABLE one(a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE); INSERT INTO one VALUES(5, 'x');
        CREATE TABLE two(p REFERENCES one(a), q AS (p + 1)); INSERT INTO two VALUES(5);`),
      );
      const path = join(directory, 'new.db');
      expect(await made(text, path)).toMatchObject([
        { table: 'one', read: 1, inserted: 1 },
        { table: 'two', read: 1, inserted: 1 },
      ]);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readdirSync(directory)).toEqual(['new.db']);
      const database = new Database(path);
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(database.prepare('SELECT seq FROM sqlite_sequence').pluck().all()).toEqual([5]);
      database.close();
      const there = join(directory, 'there.db');
      writeFileSync(there, 'mine');
      await expect(made(text, there)).rejects.toMatchObject({ code: 'EEXIST' });
      expect(statSync(there).size).toBe(4);
    }));

  it.each([
    ['another statement', 'CREATE TABLE t(a); DROP TABLE t'],
    ['a second table', 'CREATE TABLE t(a); CREATE TABLE u(a)'],
    ['the rows of a query', 'CREATE TABLE t AS SELECT 1 AS a'],
    ['the rows of a query, after a comment', 'CREATE TABLE t/*(*/AS SELECT 1 AS a'],
    ['another name', 'CREATE TABLE u(a)'],
    ['another database', 'CREATE TABLE temp.t(a)'],
    ['a temporary table', 'CREATE TEMP TABLE t(a)'],
    ['an attached file', "ATTACH '/tmp/never-made.db' AS x"],
    ['a pragma', 'PRAGMA user_version = 5'],
    ['a view', 'CREATE VIEW t AS SELECT 1 AS a'],
    ['a virtual table', 'CREATE VIRTUAL TABLE t USING fts5(a)'],
    ['what SQLite would write otherwise', 'CREATE TABLE IF NOT EXISTS t(a)'],
    ['a table of SQLite', 'CREATE TABLE sqlite_t(a)'],
    ['other columns', 'CREATE TABLE t(b)'],
    ['more columns', 'CREATE TABLE t(a, b)'],
    ['nothing', ''],
    ['a null character', 'CREATE TABLE t(a)\0; DROP TABLE t'],
    ['a number', 5],
  ])('F17, T-33: a definition that is %s is refused, and no file stays', (_what, sql) =>
    withDirectory(async (directory) => {
      const path = join(directory, 'new.db');
      const refused = made(table('t', sql), path);
      await expect(refused).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
      expect(readdirSync(directory)).toEqual([]);
    }),
  );

  it.each([
    ['another table', 'CREATE INDEX i ON u(a)'],
    ['no index', 'DROP TABLE t'],
    ['two statements', 'CREATE INDEX i ON t(a); DROP TABLE t'],
    ['a trigger', 'CREATE TRIGGER i AFTER INSERT ON t BEGIN SELECT 1; END'],
    ['unknown to SQLite', 'CREATE INDEX i ON t(mine(a))'],
  ])('F17: an index that is of %s is refused, and no file stays', (_what, sql) =>
    withDirectory(async (directory) => {
      const text =
        table('u', 'CREATE TABLE u(a)') + table('t', 'CREATE TABLE t(a)', { $indexes: [sql] });
      await expect(made(text, join(directory, 'new.db'))).rejects.toMatchObject({
        code: 'UNSUPPORTED_FORMAT',
      });
      expect(readdirSync(directory)).toEqual([]);
    }),
  );

  it.each([
    'CREATE TABLE t(a)',
    'CREATE TABLE "t"(a)',
    'CREATE TABLE [t] (a)',
    'CREATE TABLE `t` -- (\n(a)',
    "CREATE TABLE 't' /* ; */ (a CHECK(a <> ';'))",
    'CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID',
    'CREATE TABLE t(a INT) STRICT',
    null,
  ])('F17: a definition as SQLite keeps it is taken: %s', (sql) =>
    withDirectory(async (directory) => {
      const path = join(directory, 'new.db');
      expect(await made(table('t', sql), path)).toMatchObject([{ table: 't', inserted: 1 }]);
    }),
  );

  it('F17: a table comes once, rows need a header, and a file without tables is none', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'new.db');
      const once = table('t', 'CREATE TABLE t(a)');
      await expect(made(once + once, path)).rejects.toThrow('already exists');
      await expect(made('{"a":1}', path)).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
      await expect(made('', path)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
      await expect(made(once.slice(0, -12), path)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
      await expect(made(once, path, AbortSignal.abort())).rejects.toThrow();
      expect(existsSync(path)).toBe(false);
    }));

  it('F17: a definition that makes gigabytes of little is stopped, and no file stays', () =>
    withDirectory(async (directory) => {
      const sql = 'CREATE TABLE t(a, b AS (zeroblob(400000000)) STORED)';
      const columns = [{ name: 'a' }, { name: 'b', generated: true }];
      const refused = made(table('t', sql, { $columns: columns }), join(directory, 'new.db'));
      await expect(refused).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect(readdirSync(directory)).toEqual([]);
    }));

  it('F17: the content of a full-text table becomes a plain table', () =>
    withDirectory(async (directory) => {
      const source = memory(
        "CREATE VIRTUAL TABLE n USING fts5(title, body); INSERT INTO n(rowid, title, body) VALUES(4, 'a', 'b')",
      );
      const { text } = await exported(source, { tables: ['n'] });
      const path = join(directory, 'new.db');
      await made(text, path);
      const database = new Database(path);
      const rows = database.prepare('SELECT rowid, title, body FROM n').raw().all();
      expect(rows).toEqual([[4, 'a', 'b']]);
      database.close();
    }));
});
