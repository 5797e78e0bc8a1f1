import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
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

async function salvaged(): Promise<string> {
  const {
    path: result,
    doubtfulRows,
    report,
  } = await salvageDatabase(
    { damaged: path, snapshot: null, schemaFrom: 'damaged', directory: join(directory, 'new') },
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
});
