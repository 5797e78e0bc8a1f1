import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { dumpSql } from './dump-sql.ts';
import {
  differencesOf,
  dumpText,
  hasShell,
  loadText,
  replayInShell,
  Workbench,
} from './testing/round-trip.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

/** Dumps, loads, compares; then replays in the shell and compares again. Returns the loaded database and the text. */
async function thereAndBack(
  db: Database.Database,
): Promise<{ text: string; loaded: Database.Database }> {
  const { text } = await dumpText(db);
  const to = bench.newPath();
  await loadText(text, to);
  expect(await differencesOf(db, to)).toEqual([]);
  if (hasShell) {
    const shell = bench.newPath();
    replayInShell(text, shell);
    expect(await differencesOf(db, shell)).toEqual([]);
  }
  return { text, loaded: new Database(to) };
}

const select = (db: Database.Database, sql: string): unknown[] => db.prepare(sql).raw().all();

describe('what a dump carries', () => {
  it('C-D3: tables whose names look like those of full-text search are dumped, rows and all', async () => {
    const names = [
      'app_config',
      'x_data',
      'x_stat',
      'foo_content',
      'a_idx',
      'b_docsize',
      'c_segdir',
      'd_segments',
    ];
    const db = bench.make(
      names
        .map((name) => `CREATE TABLE ${name}(a, b); INSERT INTO ${name} VALUES(1, '${name}');`)
        .join('\n'),
    );
    const { loaded } = await thereAndBack(db);
    for (const name of names) expect(select(loaded, `SELECT * FROM ${name}`)).toEqual([[1, name]]);
  });

  it('C-D3: full-text tables of every kind answer the same after a round trip', async () => {
    const db = bench.make(`
      CREATE VIRTUAL TABLE own USING fts5(title, body, tokenize = 'porter unicode61');
      CREATE TABLE docs(body, id INTEGER PRIMARY KEY);
      CREATE VIRTUAL TABLE outer_ USING fts5(body, content = 'docs', content_rowid = 'id');
      CREATE TABLE loose(body);
      CREATE VIRTUAL TABLE outer_loose USING fts5(body, content = 'loose');
      CREATE VIRTUAL TABLE none USING fts5(body, content = '');
      CREATE VIRTUAL TABLE less USING fts5(body, content = '', contentless_delete = 1);
      CREATE VIRTUAL TABLE four USING fts4(body, tokenize = unicode61);
      CREATE VIRTUAL TABLE three USING fts3(body);
      CREATE VIRTUAL TABLE places USING rtree(id, x0, x1, +label);
      CREATE VIRTUAL TABLE shapes USING geopoly(label);
      CREATE VIRTUAL TABLE vocabulary USING fts5vocab('own', 'row');
      INSERT INTO own VALUES ('one', 'running foxes'), ('two', 'it''s lazy dogs');
      INSERT INTO docs(id, body) VALUES (5, 'red apple'), (9, 'green pear');
      INSERT INTO outer_(outer_) VALUES ('rebuild');
      INSERT INTO loose(rowid, body) VALUES (7, 'deep sea'), (12, 'high sky');
      INSERT INTO outer_loose(outer_loose) VALUES ('rebuild');
      INSERT INTO none(rowid, body) VALUES (3, 'only words');
      INSERT INTO less(rowid, body) VALUES (3, 'kept words'), (4, 'gone words');
      DELETE FROM less WHERE rowid = 4;
      INSERT INTO four VALUES ('alpha beta'); INSERT INTO three VALUES ('gamma delta');
      INSERT INTO places VALUES (1, 1.5, 2.5, 'here');
      INSERT INTO shapes(_shape, label) VALUES ('[[0,0],[1,0],[1,1],[0,0]]', 'triangle');
    `);
    const { text } = await dumpText(db);
    const to = bench.newPath();
    await loadText(text, to);
    expect(await differencesOf(db, to)).toEqual([]);
    const loaded = new Database(to);
    for (const query of [
      `SELECT rowid, title, highlight(own, 1, '<', '>') FROM own('run OR dog') ORDER BY rank`,
      `SELECT rowid, body FROM outer_('apple')`,
      `SELECT rowid, body FROM outer_loose('sky')`,
      `SELECT rowid FROM none('only')`,
      `SELECT rowid FROM less('words')`,
      `SELECT rowid, body FROM four WHERE four MATCH 'beta'`,
      `SELECT rowid, body FROM three WHERE three MATCH 'gamma'`,
      `SELECT * FROM places WHERE x0 < 2`,
      `SELECT rowid, label FROM shapes WHERE geopoly_overlap(_shape, '[[0,0],[2,0],[2,2],[0,0]]')`,
      `SELECT * FROM vocabulary`,
    ]) {
      const found = select(loaded, query);
      expect(found, query).toEqual(select(db, query));
      expect(found.length, query).toBeGreaterThan(0);
    }
    loaded.exec(
      `INSERT INTO own VALUES ('three', 'new fox'); INSERT INTO own(own) VALUES ('integrity-check')`,
    );
    loaded.close();
  });

  it('C-D3, C-D5: generated columns, WITHOUT ROWID, STRICT, constraints broken before, views and triggers', async () => {
    const db = bench.make(
      `
      CREATE TABLE log(what);
      CREATE TABLE base(a INTEGER, b TEXT, twice AS (a * 2) VIRTUAL, size INT AS (length(b)) STORED, c);
      INSERT INTO base(a, b, c) VALUES (1, 'x', NULL), (2, 'yy', 2.0);
      CREATE TABLE keyed(k TEXT, n INT, PRIMARY KEY (n DESC, k)) WITHOUT ROWID;
      INSERT INTO keyed VALUES ('a', 1), ('b', 1), ('a', 2);
      CREATE TABLE exact(i INT, t TEXT, r REAL, a ANY) STRICT;
      INSERT INTO exact VALUES (1, '1', 1, '1'), (NULL, '', -0.5, x'');
      CREATE TABLE child(p REFERENCES parent(id) ON DELETE CASCADE);
      INSERT INTO child VALUES (99);
      CREATE TABLE parent(id INTEGER PRIMARY KEY);
      CREATE TABLE checked(a CHECK (a > 0 AND a <> 'edit (x)') -- readfile (y)
      );
      PRAGMA ignore_check_constraints = ON;
      INSERT INTO checked VALUES (-1);
      CREATE TRIGGER logs AFTER INSERT ON base BEGIN
        INSERT INTO log VALUES (CASE WHEN new.a > 1 THEN 'big' ELSE 'small' END);
        SELECT 'END; ' || "a" FROM base;
      END;
      CREATE VIEW seen AS SELECT a, b FROM base -- a comment; with a semicolon
      ;
      CREATE VIEW broken AS SELECT * FROM nowhere;
      CREATE TRIGGER instead INSTEAD OF INSERT ON seen BEGIN INSERT INTO base(a, b) VALUES (new.a, new.b); END;
      CREATE UNIQUE INDEX base_b ON base(b COLLATE NOCASE, a DESC) WHERE a IS NOT NULL;
      CREATE INDEX base_e ON base(upper(b) || a);
      CREATE TABLE "odd ""name""
;--"("select", "a b", "é😀", [x]]);
      INSERT INTO "odd ""name""
;--" VALUES (1, 2, 3, 4);
      CREATE TABLE rowids(rowid, _rowid_, oid);
      INSERT INTO rowids VALUES (1, 2, 3);
      CREATE TABLE aliases(line INTEGER PRIMARY KEY, place, text);
      INSERT INTO aliases VALUES (7, 1, 'x'), (90, 2, 'x'), (100, 3, 'x'), (1000, 4, 'y'), (-5, 5, 'z'), (11, 6, '');
      CREATE TABLE two(rowid, x);
      INSERT INTO two(_rowid_, rowid, x) VALUES (-5, 1, 2), (70, 3, 4);
    `.replace('[x]]', '[x]'),
    );
    const { text, loaded } = await thereAndBack(db);
    expect(select(loaded, 'SELECT count(*) FROM log')).toEqual([[0]]);
    expect(select(loaded, 'SELECT twice, size FROM base')).toEqual([
      [2, 1],
      [4, 2],
    ]);
    expect(text).toContain('its columns took all names');
    loaded.exec(`INSERT INTO seen VALUES (3, 'zzz')`);
    expect(select(loaded, 'SELECT what FROM log')).toEqual([['big']]);
    loaded.close();
  });

  it('C-D5: rowids, sequences beyond the rows, statistics and pragmas come back', async () => {
    const db = bench.make(
      `
      CREATE TABLE zz(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
      CREATE TABLE aa(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
      INSERT INTO zz(v) VALUES (1), (2); DELETE FROM zz WHERE id = 2;
      INSERT INTO aa(v) VALUES (1); DELETE FROM aa;
      UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'zz';
      CREATE TABLE gaps(v); INSERT INTO gaps(rowid, v) VALUES (-9, 'a'), (10, 'b'), (9223372036854775807, 'c');
      CREATE INDEX gaps_v ON gaps(v);
      ANALYZE;
      PRAGMA user_version = -3; PRAGMA application_id = 1234567;
    `,
      'PRAGMA page_size = 1024; PRAGMA auto_vacuum = 2; PRAGMA encoding = "UTF-16be"',
    );
    const { loaded } = await thereAndBack(db);
    expect(select(loaded, 'SELECT name, seq FROM sqlite_sequence ORDER BY 1')).toEqual([
      ['aa', 1],
      ['zz', 5000],
    ]);
    expect(select(loaded, 'SELECT rowid, v FROM gaps')).toHaveLength(3);
    expect(select(loaded, 'SELECT tbl FROM sqlite_stat1').length).toBeGreaterThan(0);
    expect(loaded.pragma('user_version', { simple: true })).toBe(-3);
    loaded.exec('INSERT INTO aa(v) VALUES (1)');
    expect(select(loaded, 'SELECT id FROM aa')).toEqual([[2]]);
    loaded.close();
  });

  it('C-D5: sequences without their tables are kept', async () => {
    const db = bench.make(`
      CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE t; CREATE TABLE other(x);
      INSERT INTO sqlite_sequence VALUES ('later', 17);
    `);
    const { loaded } = await thereAndBack(db);
    expect(select(loaded, 'SELECT * FROM sqlite_sequence')).toEqual([['later', 17]]);
    loaded.close();
  });

  it('C-D5: values that are hard to write, in every encoding (NULL, 2^63-1, -2^63, 1.0, Infinity, NUL, lone surrogates, empty)', async () => {
    for (const encoding of ['UTF-8', 'UTF-16le', 'UTF-16be']) {
      const db = bench.make('CREATE TABLE v(x)', `PRAGMA encoding = '${encoding}'`);
      const insert = db.prepare('INSERT INTO v VALUES (?)');
      const texts = [
        '',
        "it's",
        'a\0b',
        '\0',
        'line\r\nend',
        '\r',
        '\\r\r',
        '\\r(0)\\r\r\n',
        '\ufeffmark',
        '\ufffe\uffff',
        '\ufffd',
        '😀',
        'x\n.quit\n;\n--',
      ];
      for (const value of [
        null,
        2n ** 63n - 1n,
        -(2n ** 63n),
        1.0,
        0.1,
        1e308,
        5e-324,
        Infinity,
        -Infinity,
        ...texts,
      ])
        insert.run(value);
      for (const bytes of [[], [0xff], [0, 1, 2], [0xff, 0xfe]]) insert.run(Buffer.from(bytes));
      db.exec(
        `INSERT INTO v VALUES (CAST(x'ff41' AS TEXT)), (CAST(x'eda080' AS TEXT)), (CAST(x'00d8' AS TEXT)), (CAST(x'd80041' AS TEXT)), (CAST(x'6100dc00' AS TEXT))`,
      );
      const { loaded } = await thereAndBack(db);
      const types = 'SELECT typeof(x), count(*) FROM v GROUP BY 1 ORDER BY 1';
      expect(select(loaded, types)).toEqual(select(db, types));
      loaded.close();
    }
  });

  it('C-D5: rows wider than a function has arguments, and rows longer than a piece', async () => {
    const columns = Array.from({ length: 1999 }, (_, index) => `c${index}`);
    const db = bench.make(`
      CREATE TABLE wide(${columns.join(', ')});
      CREATE TABLE long(a, b);
      INSERT INTO long VALUES (randomblob(700000), 1), (replace(hex(zeroblob(200000)), '0', 'é😀''') || char(0), 2);
    `);
    db.prepare(`INSERT INTO wide VALUES (${columns.map(() => '?')})`).run(
      ...columns.map((_, index) => index),
    );
    const { loaded } = await thereAndBack(db);
    expect((await dumpText(db)).longestPiece).toBeLessThan(256 * 1024);
    loaded.close();
  });

  it('C-D4: a dump is of one moment, whatever commits while it is written', async () => {
    const path = bench.newPath();
    const writer = new Database(path);
    writer.pragma('journal_mode = WAL');
    writer.exec(`CREATE TABLE a(v, pad); CREATE TABLE b(v, pad);`);
    const both = writer.transaction((v: number) => {
      for (const table of ['a', 'b']) {
        writer.prepare(`INSERT INTO ${table} VALUES (?, zeroblob(20000))`).run(v);
      }
    });
    for (let v = 0; v < 20; v++) both(v);
    const reader = new Database(path, { readonly: true });
    reader.exec('BEGIN');
    let text = '';
    for await (const piece of dumpSql(reader, { activity: quietActivity() })) {
      text += piece;
      both(100 + text.length);
    }
    reader.exec('COMMIT');
    const to = bench.newPath();
    await loadText(text, to);
    const loaded = new Database(to);
    expect(select(loaded, 'SELECT count(*) FROM a')).toEqual(
      select(loaded, 'SELECT count(*) FROM b'),
    );
    expect(select(loaded, 'SELECT v FROM a EXCEPT SELECT v FROM b')).toEqual([]);
    expect(select(loaded, 'SELECT count(*) FROM a WHERE v < 100')).toEqual([[20]]);
    for (const db of [loaded, reader, writer]) db.close();
  });

  it('C-D4: a connection that is in no transaction is refused', async () => {
    const db = bench.make('CREATE TABLE t(x)');
    await expect(dumpSql(db, { activity: quietActivity() }).next()).rejects.toThrow('transaction');
  });

  it('C-D12: cancelled between two pieces, it stops and lets the connection go', async () => {
    const db = bench.make(
      'CREATE TABLE t(x); INSERT INTO t SELECT randomblob(100000) FROM (VALUES (1), (2), (3), (4))',
    );
    const cancel = new AbortController();
    db.exec('BEGIN');
    const dump = dumpSql(db, { activity: quietActivity(cancel.signal) });
    await dump.next();
    cancel.abort();
    await expect(dump.next()).rejects.toMatchObject({ name: 'AbortError' });
    db.exec('COMMIT');
    db.exec('DELETE FROM t');
    rmSync(db.name, { force: true });
  });
});
