import { join } from 'node:path';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openPageSource } from '../format/page-source.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { Claims } from './claims.ts';
import { createDatabase, type Layout } from './testing/layout.ts';
import { selectTables } from './testing/stored-rows.ts';
import { accountForPages, walkIndexes, walkSelected } from './testing/walk-all.ts';

const SCHEMA = `
  CREATE TABLE plain(a, b, c);
  CREATE TABLE keyed(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT COLLATE NOCASE, r REAL, body BLOB);
  CREATE INDEX keyed_name ON keyed(name, r DESC);
  CREATE INDEX keyed_part ON keyed(body) WHERE body IS NOT NULL;
  CREATE TABLE not_alias(id INTEGER PRIMARY KEY DESC, v UNIQUE);
  CREATE TABLE pairs(k1 TEXT COLLATE RTRIM, v BLOB, k2 INTEGER, PRIMARY KEY (k2 DESC, k1)) WITHOUT ROWID;
  CREATE INDEX pairs_v ON pairs(v DESC);
  CREATE TABLE generated(v, twice AS (typeof(v)) VIRTUAL, kept AS (length(v)) STORED, tail);
  CREATE TABLE exact(i INT, t TEXT, any_ ANY, r REAL) STRICT;
  CREATE VIRTUAL TABLE words USING fts5(body);
  CREATE VIEW seen AS SELECT * FROM plain;
`;

type Value = null | bigint | number | string | Buffer;

const INT64_EDGES = [0n, 1n, -1n, 127n, 128n, -128n, -129n, 32768n, 8388607n, 8388608n].concat([
  2n ** 31n,
  2n ** 47n,
  -(2n ** 47n),
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]);

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.constantFrom(...INT64_EDGES),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0, -0, 1.5, 1e300, 5e-324, Number.NaN, Infinity, -Infinity, 2 ** 60),
  fc.double(),
  fc.constantFrom('', 'a', 'A', 'a ', 'é\u{1f600}', '\0', 'x\0y'),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 20_000 }).map((lengthBytes) => Buffer.alloc(lengthBytes, 0xa5)),
);

const layout: fc.Arbitrary<Layout> = fc.record({
  pageBytes: fc.constantFrom(512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536),
  encoding: fc.constantFrom('UTF-8', 'UTF-16le', 'UTF-16be'),
  autoVacuum: fc.constantFrom(0, 1, 2),
  reservedBytes: fc.constantFrom(0, 1, 8, 32),
  schemaFormat: fc.constantFrom(1, 2, 3, 4),
});

interface Row {
  readonly rowid: bigint;
  readonly values: [Value, Value, Value];
  /** Stored as text whatever the bytes. */
  readonly textBytes: Buffer;
}

const row: fc.Arbitrary<Row> = fc.record({
  rowid: fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -300n, max: 300n }),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n),
  ),
  values: fc.tuple(value, value, value),
  textBytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
});

function fill(db: Database.Database, rows: readonly Row[]): void {
  const insert = (sql: string) => {
    const statement = db.prepare(`INSERT OR IGNORE INTO ${sql}`);
    return (...values: (Value | bigint)[]): void => void statement.run(...values);
  };
  const plain = insert('plain(rowid, a, b, c) VALUES (?, ?, CAST(? AS TEXT), ?)');
  const keyed = insert('keyed VALUES (?, ?, ?, ?)');
  const notAlias = insert('not_alias VALUES (?, ?)');
  const pairs = insert('pairs(k1, v, k2) VALUES (CAST(? AS TEXT), ?, ?)');
  const generated = insert('generated(v, tail) VALUES (?, ?)');
  const exact = insert('exact VALUES (?, CAST(? AS TEXT), ?, ?)');
  for (const { rowid, values, textBytes } of rows) {
    const [first, second, third] = values;
    plain(rowid, first, textBytes, second);
    keyed(rowid, first, second, third);
    notAlias(rowid, first);
    pairs(textBytes, second, rowid);
    generated(first, third);
    exact(rowid, textBytes, second, typeof third === 'number' ? third : null);
  }
}

/** Compares everything that the walk reads with everything that SQLite reads. */
function expectSameAsSelected(path: string, db: Database.Database, schemaFormat: number): void {
  const source = openPageSource(path);
  try {
    expect(source.header?.schemaFormat).toBe(schemaFormat);
    const claims = new Claims();
    const indexes = walkIndexes(source, db, claims, schemaFormat);
    for (const table of selectTables(db)) {
      const { rows, faults } = walkSelected(source, table, claims, schemaFormat);
      expect(faults, table.name).toEqual([]);
      expect(rows, table.name).toEqual(table.rows);
    }
    for (const [name, events] of indexes) {
      const unsound = events.filter(
        (event) => event.type !== 'leaf' && (event.type !== 'row' || event.displaced),
      );
      expect(unsound, name).toEqual([]);
    }
    const counts = accountForPages(source, claims);
    expect(counts.filter((count) => count !== 1)).toEqual([]);
  } finally {
    source.close();
  }
}

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

describe('walks of sound databases', () => {
  it('read exactly the rows that SELECT reads, in every layout, and account for each page once', () => {
    let run = 0;
    fc.assert(
      fc.property(layout, fc.array(row, { maxLength: 60 }), fc.boolean(), (chosen, rows, thin) => {
        const path = join(directory, `${++run}.db`);
        const db = createDatabase(path, chosen);
        try {
          db.exec(SCHEMA);
          db.exec("INSERT INTO words VALUES ('the quick brown fox'), ('jumps over the lazy dog')");
          db.transaction(fill)(db, rows);
          if (thin)
            db.exec('DELETE FROM keyed WHERE rowid % 3 = 0; DELETE FROM plain WHERE rowid % 2');
          expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
          expectSameAsSelected(path, db, chosen.schemaFormat);
        } finally {
          db.close();
        }
      }),
      { numRuns: 40 },
    );
  });
});
