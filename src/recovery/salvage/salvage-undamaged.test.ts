import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { ANY_SCHEMA, anyLayout, anyRow, fillWith } from '../../sqlite/btree/testing/any-rows.ts';
import { createDatabase, type Layout } from '../../sqlite/btree/testing/layout.ts';
import { salvageDatabase } from './salvage-database.ts';
import { dumpOf } from './testing/dump.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-salvage-'));
  path = join(directory, 'app.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function make(fill: (database: Database.Database) => void): void {
  const database = new Database(path);
  database.unsafeMode(true);
  fill(database);
  database.close();
}

async function salvaged(name = 'new'): Promise<string> {
  const {
    path: result,
    doubtfulRows,
    report,
  } = await salvageDatabase(
    { damaged: path, snapshot: null, schemaFrom: 'damaged', directory: join(directory, name) },
    quietActivity(),
  );
  expect(doubtfulRows).toBe(0);
  for (const table of report.tables) {
    expect(table).toMatchObject({ displaced: 0, adopted: 0, filled: 0, rejected: 0, lost: 0 });
  }
  return result;
}

const rows = (count: number, sql: string): string =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) ${sql}`;

const CASES: readonly (readonly [string, string])[] = [
  [
    'every kind of value',
    `CREATE TABLE v(a, b INTEGER, c REAL, d TEXT, e BLOB, f NUMERIC);
     INSERT INTO v VALUES(1, 9223372036854775807, 5, 5, x'00ff', '1e3'), (NULL, -9223372036854775808, 0.1, 'ä€😀', '', 'text'),
       (5.0, 0, -1e308, CAST(x'ff00fe' AS TEXT), zeroblob(9000), 1.5), (x'', 1, 2.0, '', 'text', 9007199254740993),
       ('a' || char(0) || 'b', 140737488355328, 1e999, char(65279) || 'bom', x'31', -0.0);
     INSERT INTO v(rowid, a) VALUES(-5, 'negative'), (9223372036854775807, 'largest');`,
  ],
  [
    'without row ids',
    `CREATE TABLE w(c, b TEXT COLLATE NOCASE, a INTEGER, g AS (a + 1), PRIMARY KEY(a DESC, b)) WITHOUT ROWID;
     ${rows(1200, "INSERT INTO w(c, b, a) SELECT hex(randomblob(i % 700)), 'key ' || i, i % 37 FROM n")};
     CREATE TABLE k(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
     ${rows(800, "INSERT INTO k SELECT 'k' || i, i FROM n")};`,
  ],
  [
    'row ids under every name, and keys that are none',
    `CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
     INSERT INTO a(v) VALUES('x'), ('y'), ('z'); DELETE FROM a WHERE id = 3;
     CREATE TABLE b(id INTEGER PRIMARY KEY DESC, v); INSERT INTO b VALUES(10, 1), (20, 2), (30, 3);
     CREATE TABLE c(rowid TEXT, _rowid_ TEXT, v); INSERT INTO c(oid, rowid, v) VALUES(77, 'r', 1);
     CREATE TABLE d(id INT PRIMARY KEY, v); INSERT INTO d VALUES(NULL, 1), (5, 2);
     CREATE TABLE e(v); INSERT INTO e(rowid, v) VALUES(100, 1), (300, 2);
     CREATE TABLE g(a AS (1), id INTEGER PRIMARY KEY, v); INSERT INTO g(id, v) VALUES(7, 'v');`,
  ],
  [
    'generated, added and dropped columns, strict tables',
    `CREATE TABLE g(a INTEGER, v AS (a * 2), b TEXT, s AS (a || b) STORED, c);
     ${rows(500, "INSERT INTO g(a, b, c) SELECT i, 'b' || i, i % 3 FROM n")};
     CREATE TABLE t(id INTEGER PRIMARY KEY, a, gone, b);
     ${rows(50, "INSERT INTO t SELECT i, i, 'gone', 'b' FROM n")};
     ALTER TABLE t ADD COLUMN c TEXT NOT NULL DEFAULT 'late'; ALTER TABLE t ADD COLUMN d;
     ${rows(50, "INSERT INTO t SELECT i + 50, i, 'gone', 'b', 'c', 4 FROM n")};
     ALTER TABLE t DROP COLUMN gone; ALTER TABLE t RENAME TO "odd ""name";
     CREATE TABLE s(i INT, r REAL, x TEXT, b BLOB, a ANY) STRICT;
     INSERT INTO s VALUES(1, 2, CAST(x'c328' AS TEXT), x'01', '3'), (NULL, 1.5, '', x'', 3.0);`,
  ],
  [
    'indexes, views, triggers, statistics, checks that fail, parents that are missing',
    `CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT UNIQUE ON CONFLICT REPLACE, c INTEGER CHECK(c > 0));
     CREATE TABLE q(id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE, t TEXT);
     CREATE UNIQUE INDEX q_t ON q(t COLLATE NOCASE) WHERE t IS NOT NULL;
     CREATE INDEX q_e ON q(lower(t), p DESC);
     CREATE VIEW names AS SELECT n, t FROM p JOIN q ON p = p.id;
     CREATE TRIGGER added AFTER INSERT ON p BEGIN INSERT INTO q(p, t) VALUES(new.id, 'of ' || new.n); END;
     CREATE TRIGGER via INSTEAD OF INSERT ON names BEGIN INSERT INTO p(n) VALUES(new.n); END;
     ${rows(400, "INSERT INTO p SELECT i, 'n' || i, i FROM n")};
     PRAGMA ignore_check_constraints = ON; INSERT INTO p VALUES(1000, 'bad', -1);
     PRAGMA foreign_keys = OFF; INSERT INTO q(p, t) VALUES(5000, 'orphan');
     ANALYZE;`,
  ],
  [
    'full-text tables and trees of rectangles',
    `CREATE VIRTUAL TABLE f USING fts5(title, body, prefix='2 3');
     CREATE TABLE d(id INTEGER PRIMARY KEY, body TEXT);
     CREATE VIRTUAL TABLE x USING fts5(body, content='d', content_rowid='id');
     CREATE VIRTUAL TABLE l USING fts5(body, content='');
     CREATE VIRTUAL TABLE f4 USING fts4(body);
     CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);
     ${rows(600, "INSERT INTO f SELECT 'title ' || i, 'word' || i || ' common' FROM n")};
     DELETE FROM f WHERE rowid % 7 = 0;
     ${rows(100, "INSERT INTO d SELECT i, 'body' || i FROM n")};
     INSERT INTO x(x) VALUES('rebuild'); INSERT INTO l(rowid, body) VALUES(1, 'contentless');
     INSERT INTO f4 VALUES('four'), ('five'); INSERT INTO r VALUES(1, 0, 5), (2, 3, 4);`,
  ],
];

const SETTINGS: readonly (readonly [string, string])[] = [
  ['as by default', ''],
  [
    'of small pages',
    'PRAGMA page_size = 512; PRAGMA user_version = 42; PRAGMA application_id = -7;',
  ],
  ['in UTF-16, auto-vacuumed', `PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = INCREMENTAL;`],
  [
    'in UTF-16, of large pages',
    `PRAGMA encoding = 'UTF-16be'; PRAGMA page_size = 65536; PRAGMA auto_vacuum = FULL;`,
  ],
];

describe('a database without damage', () => {
  it.each(
    SETTINGS.flatMap(([setting, pragmas]) =>
      CASES.map(([what, sql]) => [what, setting, pragmas, sql] as const),
    ),
  )('is salvaged exactly: %s, %s', async (_what, _setting, pragmas, sql) => {
    make((database) => database.exec(`${pragmas}${sql}`));
    const result = await salvaged();
    expect(dumpOf(result)).toEqual(dumpOf(path));
  });

  it('is salvaged exactly, whatever its rows and its layout', async () => {
    let run = 0;
    const rowsOfAnyKind = fc.array(anyRow, { maxLength: 40 });
    const settings = fc.record({
      userVersion: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      applicationId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      wal: fc.boolean(),
      thin: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(anyLayout, rowsOfAnyKind, settings, async (layout, rows, chosen) => {
        run += 1;
        path = join(directory, `${run}.db`);
        const database = createDatabase(path, layout);
        database.exec(ANY_SCHEMA);
        database.pragma(`user_version = ${chosen.userVersion}`);
        database.pragma(`application_id = ${chosen.applicationId}`);
        database.exec("INSERT INTO words VALUES ('the quick brown fox'), ('over the lazy dog')");
        if (chosen.wal) database.pragma('journal_mode = WAL');
        database.transaction(fillWith)(database, rows);
        if (chosen.thin) database.exec('DELETE FROM keyed WHERE rowid % 3 = 0');
        database.close();
        const result = await salvaged(`new-${run}`);
        expect(dumpOf(result)).toEqual(dumpOf(path));
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it.each([512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536])(
    'is salvaged exactly, of pages of %i bytes, every kind of table on several',
    async (pageBytes) => {
      const layout: Layout = {
        pageBytes,
        encoding: pageBytes % 3 === 1 ? 'UTF-16be' : 'UTF-8',
        autoVacuum: pageBytes % 3 === 1 ? 1 : 0,
        reservedBytes: 8,
        schemaFormat: pageBytes > 4096 ? 4 : 3,
      };
      const database = createDatabase(path, layout);
      const wide = Math.floor(pageBytes / 5);
      database.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v, d TEXT UNIQUE);
        CREATE TABLE w(k TEXT, v, PRIMARY KEY(k DESC)) WITHOUT ROWID;
        ${rows(120, `INSERT INTO t(v, d) SELECT zeroblob(i % ${wide}), 'd' || i FROM n`)};
        ${rows(120, `INSERT INTO w SELECT 'k' || i, hex(zeroblob(i % ${wide})) FROM n`)};
        INSERT INTO t(v) VALUES(zeroblob(${pageBytes * 4 + 17})); DELETE FROM t WHERE id = 120;`);
      database.close();
      expect(dumpOf(await salvaged())).toEqual(dumpOf(path));
    },
  );

  it('keeps what it had in a log that was never checkpointed', async () => {
    const writer = new Database(path);
    writer.exec(`PRAGMA page_size = 1024; CREATE TABLE t(v); PRAGMA journal_mode = WAL;
      PRAGMA wal_autocheckpoint = 0; ${rows(300, "INSERT INTO t SELECT 'row ' || i FROM n")};
      DELETE FROM t WHERE rowid % 5 = 0;`);
    const copy = join(directory, 'copy.db');
    for (const ending of ['', '-wal']) copyFileSync(`${path}${ending}`, `${copy}${ending}`);
    writer.close();
    const expected = dumpOf(path);
    path = copy;
    expect(dumpOf(await salvaged())).toEqual(expected);
  });

  it('of no table at all is salvaged as such, its settings kept', async () => {
    make((database) => {
      database.exec(`PRAGMA user_version = 7; CREATE TABLE t(v);
        ${rows(500, "INSERT INTO t SELECT 'row ' || i FROM n")}; DROP TABLE t;`);
    });
    expect(dumpOf(await salvaged())).toEqual(dumpOf(path));
  });

  it('loses its reserved bytes: what extensions keep there does not fit the new pages', async () => {
    const layout = { pageBytes: 4096, encoding: 'UTF-8', autoVacuum: 0 } as const;
    createDatabase(path, { ...layout, reservedBytes: 32, schemaFormat: 4 })
      .exec('CREATE TABLE t(v); INSERT INTO t VALUES(1)')
      .close();
    expect(readFileSync(path)[20]).toBe(32);
    expect(readFileSync(await salvaged())[20]).toBe(0);
  });
});
