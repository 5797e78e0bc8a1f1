import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { loadSql } from './load-sql.ts';
import {
  bytesOf,
  differencesOf,
  dumpText,
  hasShell,
  loadText,
  Workbench,
} from './testing/round-trip.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

async function refusalOf(
  text: string | Buffer,
  options = {},
): Promise<{ code: string; message: string; details: any }> {
  const path = bench.newPath();
  const before = readdirSync(bench.directory);
  const error = await loadText(text, path, options).then(
    () => null,
    (reason: unknown) => reason as any,
  );
  expect(error, String(text).slice(0, 200)).not.toBeNull();
  expect(readdirSync(bench.directory)).toEqual(before);
  return error;
}

async function loaded(text: string | Buffer, pieceBytes?: number): Promise<Database.Database> {
  const path = bench.newPath();
  await loadText(text, path, pieceBytes === undefined ? {} : { pieceBytes });
  return new Database(path);
}

const select = (db: Database.Database, sql: string): unknown[] => db.prepare(sql).raw().all();

describe('text that is loaded', () => {
  it('C-02: runs only in a database made for it, which nobody else may open and which replaces none', async () => {
    const path = bench.newPath();
    const result = await loadText('CREATE TABLE t(a); INSERT INTO t VALUES (1);', path);
    expect(result).toMatchObject({ statements: 2, bytes: 44, foreignKeyViolations: 0 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const before = statSync(path, { bigint: true });
    await expect(loadText('CREATE TABLE u(a);', path)).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
    const other = bench.newPath();
    writeFileSync(`${other}-journal`, 'left by another');
    await expect(loadText('CREATE TABLE u(a);', other)).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    expect(existsSync(other)).toBe(false);
  });

  it('C-02: hostile text is refused and nothing stays of it', async () => {
    const outside = `${bench.directory}/outside.db`;
    for (const sql of [
      `ATTACH '${outside}' AS other`,
      `VACUUM INTO '${outside}'`,
      `SELECT load_extension('/tmp/evil')`,
      `INSERT INTO t VALUES (load_extension('/tmp/evil'))`,
      `INSERT INTO t VALUES (readfile('/etc/passwd'))`,
      `INSERT INTO t VALUES (writefile('${outside}', 'x'))`,
      `INSERT INTO t VALUES (edit('x'))`,
      `INSERT INTO t VALUES (randomblob(1000000000))`,
      `INSERT INTO t VALUES ((SELECT 1))`,
      `INSERT INTO t VALUES (replace('aaaa', 'a', 'aaaa'))`,
      `INSERT INTO t SELECT 1`,
      `INSERT INTO t WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x FROM c) SELECT x FROM c`,
      `INSERT INTO t VALUES (1) RETURNING load_extension('x')`,
      `INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1`,
      `INSERT INTO temp.t VALUES (1)`,
      `INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES('table','x','x',2,'CREATE TABLE x(a)')`,
      `INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES('trigger','x','t',0,'CREATE TRIGGER x')`,
      `INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES('table','x','x',0,'CREATE TABLE x(a)')`,
      `INSERT INTO "sqlite_master" VALUES('table','x','x',0,'CREATE VIRTUAL TABLE x USING fts5(a)')`,
      `INSERT INTO main.[sqlite_schema] DEFAULT VALUES`,
      `UPDATE sqlite_master SET sql = ''`,
      `UPDATE t SET a = 1`,
      `DELETE FROM sqlite_master`,
      `DELETE FROM t`,
      `DELETE FROM sqlite_sequence WHERE load_extension('x')`,
      `CREATE TABLE evil AS SELECT 1`,
      `CREATE TABLE evil(a DEFAULT (readfile('/etc/passwd')))`,
      `CREATE TABLE "sqlite_evil"(a)`,
      `CREATE TEMP TABLE evil(a)`,
      `CREATE TEMP TRIGGER evil AFTER INSERT ON t BEGIN SELECT 1; END`,
      `CREATE VIRTUAL TABLE evil USING dbstat`,
      `CREATE VIRTUAL TABLE evil USING csv(filename='/etc/passwd')`,
      `CREATE VIRTUAL TABLE evil USING "csv"`,
      `PRAGMA temp_store_directory = '/tmp'`,
      `PRAGMA journal_size_limit = 1`,
      `PRAGMA page_size = (SELECT 1)`,
      `/* a comment */ -- and another\nDETACH main`,
      `EXPLAIN SELECT 1`,
      `REINDEX`,
      `SAVEPOINT x`,
      `.shell touch ${outside}`,
      `DROP TABLE sqlite_master`,
      `ALTER TABLE t RENAME TO u`,
      `ANALYZE temp.t`,
    ]) {
      const error = await refusalOf(
        `CREATE TABLE t(a);\nINSERT INTO t VALUES (1);\n${sql};\nINSERT INTO t VALUES (2);`,
      );
      expect(error.code, sql).toBe('VERIFY_FAILED');
      expect(error.details.line, sql).toBe(sql.startsWith('/*') ? 4 : 3);
      expect(error.message, sql).toMatch(/^Cannot load "SQL text": line \d, ".+": /);
    }
    expect(existsSync(outside)).toBe(false);
  });

  it('C-02: no trigger runs while rows come in, wherever the text makes it', async () => {
    const db = await loaded(
      `
      CREATE TABLE t(a); CREATE TABLE log(a);
      CREATE TRIGGER x AFTER INSERT ON t BEGIN
        INSERT INTO log VALUES (CASE new.a WHEN 1 THEN ';' ELSE 'END' END); SELECT 'a;b' /* END; */; -- END;
      END;
      INSERT INTO t VALUES (1);
    `,
      3,
    );
    expect(select(db, 'SELECT * FROM log')).toEqual([]);
    db.exec('INSERT INTO t VALUES (1)');
    expect(select(db, 'SELECT * FROM log')).toEqual([[';']]);
    db.close();
  });

  it('C-02: a mistake anywhere leaves nothing, and is named with its line', async () => {
    const error = await refusalOf(
      `CREATE TABLE t(a UNIQUE);\n\nINSERT INTO t VALUES\n(1);\nINSERT INTO t VALUES (1);`,
    );
    expect(error).toMatchObject({
      code: 'VERIFY_FAILED',
      details: { line: 5, statement: 'INSERT INTO t VALUES (1)' },
    });
    expect(error.message).toContain('UNIQUE constraint failed');
    expect((await refusalOf('CREATE TABLE t(a);\nINSERT INTO u VALUES (1);')).message).toContain(
      'no such table: u',
    );
    expect((await refusalOf('CREATE TABLE t(')).message).toContain('ends within');
    expect((await refusalOf('')).message).toContain('no statement');
    expect((await refusalOf('-- nothing\n')).message).toContain('no statement');
    expect(
      (await refusalOf(`CREATE TABLE t(a); INSERT INTO t VALUES ('a\0b');`)).message,
    ).toContain('NUL');
    expect((await refusalOf('BEGIN; CREATE TABLE t(a); ROLLBACK;')).message).toContain(
      'met an error',
    );
    expect((await refusalOf('BEGIN; CREATE TABLE t(a);')).message).toContain('transaction');
    expect((await refusalOf(Buffer.from([0x1f, 0x8b, 0x08, 0, 59, 255]))).code).toBe(
      'VERIFY_FAILED',
    );
    expect((await refusalOf(Buffer.from('CREATE TABLE t\xff(a);', 'latin1'))).message).toContain(
      'UTF-8',
    );
  });

  it('C-02: text that was cut short anywhere is refused', async () => {
    const db = bench.make(`
      CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b); INSERT INTO t(b) VALUES ('x;y'), (x'00'), (1.5);
      CREATE INDEX i ON t(b); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;
    `);
    const { text } = await dumpText(db);
    for (let length = 0; length < text.length - 1; length += 1 + (length % 5)) {
      expect((await refusalOf(text.slice(0, length))).code, `${length}`).toBe('VERIFY_FAILED');
    }
    await loadText(text, bench.newPath());
  }, 30_000);

  it('C-02: limits on a statement and on the database hold', async () => {
    const long = `CREATE TABLE t(a); INSERT INTO t VALUES ('${'x'.repeat(5000)}');`;
    expect((await refusalOf(long, { limits: { statementBytesMax: 4096 } })).code).toBe(
      'LIMIT_EXCEEDED',
    );
    const rows = `CREATE TABLE t(a); INSERT INTO t VALUES ${Array(200)
      .fill(`('${'x'.repeat(5000)}')`)
      .join(',')};`;
    const full = await refusalOf(rows, { limits: { databaseBytesMax: 100_000 } });
    expect(full.message).toContain('full');
    await expect(loadText(rows, bench.newPath())).resolves.toMatchObject({ statements: 2 });
  });

  it('C-02: cancelled while it loads, nothing stays', async () => {
    const cancel = new AbortController();
    const path = bench.newPath();
    async function* input(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('CREATE TABLE t(a);');
      cancel.abort();
      yield Buffer.from('INSERT INTO t VALUES (1);');
    }
    await expect(
      loadSql(input(), path, { activity: quietActivity(cancel.signal) }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(existsSync(path)).toBe(false);
  });

  it('C-D5: foreign keys and checks that did not hold are loaded, and counted', async () => {
    const path = bench.newPath();
    const result = await loadText(
      `PRAGMA foreign_keys=ON; CREATE TABLE p(id INTEGER PRIMARY KEY);
       CREATE TABLE c(p REFERENCES p(id), n CHECK (n > 0)); INSERT INTO c VALUES (1, -1), (2, 0), (NULL, 5);`,
      path,
    );
    expect(result.foreignKeyViolations).toBe(2);
  });

  it('C-D5: strings in double quotes and functions of the application in constraints are taken, text and all', async () => {
    const schema = `CREATE TABLE "t"(a CHECK (a IN ("x", "y;z") AND ours(a)), b DEFAULT "d", CHECK (theirs(a, b) > 0))`;
    const db = await loaded(
      `${schema}; INSERT INTO t VALUES ('x', 1); CREATE INDEX i ON t(b) WHERE a = "x";`,
    );
    expect(select(db, 'SELECT sql FROM sqlite_schema')).toEqual([
      [schema],
      ['CREATE INDEX i ON t(b) WHERE a = "x"'],
    ]);
    expect(select(db, `SELECT b FROM t WHERE a = 'x'`)).toEqual([[1]]);
    db.close();
    const error = await refusalOf(
      `CREATE TABLE t(a); INSERT INTO t VALUES (1); CREATE INDEX i ON t(ours(a));`,
    );
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
    expect(error.message).toContain('no such function: ours');
  });

  it('C-D3, C-D5: an index by a collation of the application is dumped last, and left out where asked', async () => {
    const source = bench.make(`
      CREATE TABLE t(a TEXT COLLATE NOCASE, b); INSERT INTO t VALUES ('x', 1), ('Y', 2);
      CREATE INDEX i ON t(a); CREATE INDEX j ON t(b); CREATE VIEW v AS SELECT 1;
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'ours');
    `);
    source.close();
    const db = new Database(source.name);
    const { text } = await dumpText(db);
    expect(text.indexOf('CREATE INDEX i')).toBeGreaterThan(text.indexOf('CREATE VIEW v'));
    const error = await refusalOf(text);
    expect(error.code).toBe('UNSUPPORTED_FORMAT');
    expect(error.message).toContain('collation');
    const path = bench.newPath();
    const result = await loadSql(bytesOf(text), path, {
      activity: quietActivity(),
      skipsForeignIndexes: true,
    });
    expect(result.skippedIndexes).toEqual(['i']);
    expect(await differencesOf(db, path)).toEqual(['index i is missing there']);
    const other = new Database(path);
    expect(select(other, 'SELECT * FROM t')).toEqual([
      ['x', 1],
      ['Y', 2],
    ]);
    other.close();
    const unique = `CREATE TABLE t(a TEXT COLLATE ours UNIQUE);`;
    expect((await refusalOf(unique)).code).toBe('UNSUPPORTED_FORMAT');
  });
});

describe('dumps of other programs', () => {
  const schema = `
    CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT, r REAL, b BLOB);
    INSERT INTO a(t, r, b) VALUES ('line
break' || char(13, 10), 1.0, x'00ff'), ('it''s', 9e999, NULL), (CAST(x'ff41' AS TEXT), -0.5, zeroblob(3));
    CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('some words');
    CREATE VIEW v AS SELECT t FROM a;
    CREATE TRIGGER g AFTER INSERT ON a BEGIN UPDATE a SET r = CASE WHEN 1 THEN 2 END; END;
    CREATE INDEX i ON a(t); ANALYZE;
  `;

  it.skipIf(!hasShell)(
    'C-D3: the .dump of the sqlite3 shell loads, in pieces of any size',
    async () => {
      const db = bench.make(schema);
      const text = execFileSync('sqlite3', [db.name, '.dump']);
      for (const pieceBytes of [1, 2, 7, 4096]) {
        const other = await loaded(text, pieceBytes);
        expect(await differencesOf(db, other.name)).toEqual([]);
        expect(select(other, `SELECT * FROM f('words')`)).toEqual([['some words']]);
        other.close();
      }
    },
  );

  const hasPython = ((): boolean => {
    try {
      execFileSync('python3', ['-c', 'import sqlite3'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();

  it.skipIf(!hasPython)('C-D3: the dump of Python loads', async () => {
    const db = bench.make(
      schema
        .replace(`, (CAST(x'ff41' AS TEXT), -0.5, zeroblob(3))`, '')
        .replace('9e999', '9e99')
        .replace(/CREATE VIRTUAL.*/, ''),
    );
    const program =
      'import sqlite3,sys\nfor l in sqlite3.connect(sys.argv[1]).iterdump(): print(l)';
    const text = execFileSync('python3', ['-c', program, db.name]);
    const other = await loaded(text);
    expect(select(other, 'SELECT t, r, b FROM a ORDER BY id')).toEqual(
      select(db, 'SELECT t, r, b FROM a ORDER BY id'),
    );
    other.close();
  });

  it('C-D3: statements that only say how to load are passed over', async () => {
    const db = await loaded(
      `
      PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = 0; PRAGMA page_size = 512;
      DROP TABLE IF EXISTS "t"; CREATE TABLE IF NOT EXISTS \`t\` (a, [b c] TEXT);
      INSERT OR REPLACE INTO main.t(a, [b c]) VALUES (+1, 'x' || char(10) || 'y'), (-2.5e3, unistr('\\u0041'));
      REPLACE INTO "t" VALUES (TRUE, CAST(x'41' AS TEXT));
      CREATE VIRTUAL TABLE IF NOT EXISTS w USING fts5(x); INSERT INTO w(x) VALUES ('word');
      DELETE FROM sqlite_sequence WHERE name = 'nobody';
      PRAGMA application_id(12);
    `.replace(/DELETE FROM.*/, ''),
    );
    expect(select(db, 'SELECT * FROM t')).toEqual([
      [1, 'x\ny'],
      [-2500, 'A'],
      [1, 'A'],
    ]);
    expect(db.pragma('page_size', { simple: true })).toBe(512);
    expect(db.pragma('journal_mode', { simple: true })).toBe('delete');
    expect(select(db, `SELECT count(*) FROM w('word')`)).toEqual([[1]]);
    db.close();
  });
});
