import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { exportTables } from './export-tables.ts';
import { exported, imported, memory, storedRows, withDirectory } from './testing/table-files.ts';

const lines = (text: string): string[] => text.trimEnd().split('\n');
const hasJq = spawnSync('jq', ['--version']).status === 0;

describe('exportTables()', () => {
  it('F17, T-19, T-20, T-D12: every kind of value is written so that it can be told', async () => {
    const database = memory(`
      CREATE TABLE v(a);
      INSERT INTO v VALUES(NULL), (1), (1.0), (-0.0), (0.5), (9e999), (-9e999), (1e300),
        (9223372036854775807), (-9223372036854775808), (9007199254740991), (9007199254740993),
        (''), ('a"b'), (char(0) || 'x'), (x''), (x'00ff'), (CAST(x'61ff62' AS TEXT)), (char(65533)), (CAST(x'eda080' AS TEXT));`);
    const { text, counts } = await exported(database);
    expect(counts).toEqual([{ table: 'v', rows: 20 }]);
    expect(lines(text).slice(1, -1)).toEqual([
      '[1,null]',
      '[2,1]',
      '[3,{"$r":"1"}]',
      '[4,{"$r":"-0"}]',
      '[5,0.5]',
      '[6,{"$r":"Infinity"}]',
      '[7,{"$r":"-Infinity"}]',
      '[8,{"$r":"1e+300"}]',
      '[9,{"$i":"9223372036854775807"}]',
      '[10,{"$i":"-9223372036854775808"}]',
      '[11,9007199254740991]',
      '[12,{"$i":"9007199254740993"}]',
      '[13,""]',
      '[14,"a\\"b"]',
      '[15,"\\u0000x"]',
      '[16,{"$b":""}]',
      '[17,{"$b":"AP8="}]',
      '[18,{"$t":"Yf9i"}]',
      '[19,"\uFFFD"]',
      '[20,{"$t":"7aCA"}]',
    ]);
  });

  it('F17: a header describes the columns, and a footer counts and signs the lines', async () => {
    const database = memory(`
      CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, twice AS (id * 2), price DECIMAL(8, 2));
      CREATE INDEX orders_name ON orders(name);
      INSERT INTO orders(id, name, price) VALUES(7, 'x', 1.5);
      DELETE FROM orders; INSERT INTO orders(id, name) VALUES(3, 'y');
      PRAGMA user_version = 12;`);
    const { text } = await exported(database);
    const [header, row, footer] = lines(text);
    expect(JSON.parse(header!)).toEqual({
      $table: 'orders',
      $columns: [
        { name: 'id', declType: 'INTEGER', pk: 1, notnull: false, generated: false },
        { name: 'name', declType: 'TEXT', pk: 0, notnull: true, generated: false },
        { name: 'price', declType: 'DECIMAL(8, 2)', pk: 0, notnull: false, generated: false },
        { name: 'twice', declType: '', pk: 0, notnull: false, generated: true },
      ],
      $db: 'data/app.db',
      $snapshotTxn: null,
      $version: 1,
      $sql: expect.stringContaining('CREATE TABLE orders('),
      $indexes: ['CREATE INDEX orders_name ON orders(name)'],
      $sequence: '7',
      $encoding: 'UTF-8',
      $userVersion: 12,
      $applicationId: 0,
    });
    expect(row).toBe('[3,"y",null]');
    const $sha256 = createHash('sha256').update(`${header}\n${row}\n`).digest('hex');
    expect(JSON.parse(footer!)).toEqual({ $rows: 1, $sha256 });
  });

  it('F17: views, shadow tables and tables of SQLite are left out; a virtual table is exported where it is named', async () => {
    const database = memory(`
      CREATE TABLE a(x); CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE notes USING fts5(body);
      INSERT INTO notes(rowid, body) VALUES(5, 'hello'); CREATE INDEX ax ON a(x); ANALYZE;
      CREATE TABLE x_data(y);`);
    expect((await exported(database)).counts.map(({ table }) => table)).toEqual(['a', 'x_data']);
    const named = await exported(database, { tables: ['NOTES'] });
    expect(lines(named.text)[1]).toBe('[5,"hello"]');
    const view = exported(database, { tables: ['v'] });
    await expect(view).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    const shadow = exported(database, { tables: ['notes_data'] });
    await expect(shadow).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('T-19: a listed table that is not there is an error, or a warning where it is not required', async () => {
    const database = memory('CREATE TABLE a(x); INSERT INTO a VALUES(1)');
    const options = { tables: ['gone', 'a'] };
    await expect(exported(database, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'Cannot export table "gone": "data/app.db" has no table of this name',
    });
    const warnings: string[] = [];
    const activity = { ...quietActivity(), warn: (message: string) => warnings.push(message) };
    const tables = exportTables(database, {
      ...options,
      plain: true,
      required: false,
      databaseName: 'data/app.db',
      activity,
    });
    expect(await tables.next()).toEqual({ done: false, value: '{"$rowid":1,"x":1}\n' });
    expect((await tables.next()).value).toEqual([{ table: 'a', rows: 1 }]);
    expect(warnings).toEqual([expect.stringContaining('gone')]);
  });

  it('T-19: bare objects, without header and footer, of exactly one table', async () => {
    const database = memory(`
      CREATE TABLE a(id INTEGER PRIMARY KEY, "__proto__" TEXT, b BLOB, c AS (1)); CREATE TABLE z(y);
      INSERT INTO a VALUES(1, 'p', x'ff');`);
    const { text } = await exported(database, { tables: ['a'], plain: true });
    expect(text).toBe('{"id":1,"__proto__":"p","b":{"$b":"/w=="}}\n');
    await expect(exported(database, { plain: true })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
  });

  it('T-D15: all tables are of one moment, whatever is committed meanwhile', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'app.db');
      const writer = new Database(path);
      writer.exec(`PRAGMA journal_mode = WAL; CREATE TABLE a(x); CREATE TABLE b(x);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO a SELECT 'some text to fill more than one piece' FROM n;`);
      const reader = new Database(path, { readonly: true });
      const activity = quietActivity();
      const options = { tables: null, plain: false, databaseName: 'app.db', activity };
      const tables = exportTables(reader, options);
      const first = await tables.next();
      expect(String(first.value).length).toBeLessThan(70_000);
      writer.exec('DELETE FROM a; INSERT INTO b VALUES(1)');
      let next = await tables.next();
      while (next.done !== true) next = await tables.next();
      expect(next.value).toEqual([
        { table: 'a', rows: 20_000 },
        { table: 'b', rows: 0 },
      ]);
      expect(reader.inTransaction).toBe(false);
      reader.close();
      writer.close();
    }));

  it('F17: rows come in the order of their keys, and a collation of the application is not needed for it', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'app.db');
      const writer = new Database(path);
      writer.unsafeMode(true);
      writer.exec(`CREATE TABLE a(k TEXT PRIMARY KEY, v INT); CREATE TABLE w(k TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE INDEX covering ON a(v, k);
        INSERT INTO a VALUES('b', 2), ('a', 3), ('c', 1); PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'TEXT', 'TEXT COLLATE mine');`);
      writer.close();
      const database = new Database(path, { readonly: true });
      const { text } = await exported(database, { tables: ['a'] });
      expect(lines(text).slice(1, -1)).toEqual(['[1,"b",2]', '[2,"a",3]', '[3,"c",1]']);
      const refused = exported(database, { tables: ['w'] });
      await expect(refused).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
      database.close();
    }));

  it('F17: a virtual table of a module that is not here keeps nothing else from being exported', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'app.db');
      const writer = new Database(path);
      writer.unsafeMode(true);
      writer.exec(`CREATE TABLE a(x); INSERT INTO a VALUES(1); CREATE VIRTUAL TABLE n USING fts5(b);
        PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'fts5', 'vec0')`);
      writer.close();
      const database = new Database(path, { readonly: true });
      expect((await exported(database, { tables: ['a'] })).counts).toEqual([
        { table: 'a', rows: 1 },
      ]);
      expect((await exported(database)).counts.map(({ table }) => table)).toContain('n_content');
      const named = exported(database, { tables: ['n'] });
      await expect(named).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
      database.close();
    }));

  it('F17: a damaged database is said to be damaged', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'app.db');
      const writer = new Database(path);
      writer.exec(`CREATE TABLE a(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO a SELECT hex(randomblob(50)) FROM n`);
      writer.close();
      const bytes = readFileSync(path);
      bytes.fill(0xff, 4096 * 20, 4096 * 21);
      writeFileSync(path, bytes);
      const database = new Database(path, { readonly: true });
      await expect(exported(database)).rejects.toMatchObject({ code: 'SOURCE_CORRUPT' });
      expect(database.inTransaction).toBe(false);
      database.close();
    }));

  it('F17: an export that is cancelled ends, and its transaction with it', async () => {
    const database = memory('CREATE TABLE a(x)');
    const insert = database.prepare('INSERT INTO a VALUES(?)');
    for (let row = 0; row < 100; row += 1) insert.run('x'.repeat(10_000));
    const abort = new AbortController();
    const activity = quietActivity(abort.signal);
    const tables = exportTables(database, {
      tables: null,
      plain: false,
      databaseName: 'a',
      activity,
    });
    await tables.next();
    abort.abort();
    await expect(tables.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect(database.inTransaction).toBe(false);
  });

  it.skipIf(!hasJq)('F17: jq reads both forms', async () => {
    const database = memory(`CREATE TABLE orders(id INTEGER PRIMARY KEY, price REAL, note TEXT);
      INSERT INTO orders VALUES(1, 2.5, 'é'), (2, 1.25, char(0)), (3, NULL, 'x');`);
    const plain = await exported(database, { tables: ['orders'], plain: true });
    const sum = execFileSync('jq', ['-s', '[.[].price // 0] | add'], { input: plain.text });
    expect(sum.toString().trim()).toBe('3.75');
    const full = await exported(database);
    const program = 'if type == "array" then . else empty end | .[2] | length';
    const notes = execFileSync('jq', ['-c', program], { input: full.text });
    expect(lines(notes.toString())).toEqual(['1', '1', '1']);
  });

  it('F17: a virtual table is restored by the mode replace', async () => {
    const sql = 'CREATE VIRTUAL TABLE notes USING fts5(body)';
    const database = memory(`${sql}; INSERT INTO notes(rowid, body) VALUES(5, 'hello world')`);
    const { text } = await exported(database, { tables: ['notes'] });
    const target = memory(`${sql}; INSERT INTO notes VALUES('other')`);
    await imported(target, text);
    expect(storedRows(target, 'notes')).toEqual(storedRows(database, 'notes'));
    await expect(imported(target, text, { mode: 'upsert' })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
  });
});
