import type Database from 'better-sqlite3';
import fc from 'fast-check';
import type { Layout } from './layout.ts';

/** Tables of every kind, for rows of any values. */
export const ANY_SCHEMA = `
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

export const anyLayout: fc.Arbitrary<Layout> = fc.record({
  pageBytes: fc.constantFrom(512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536),
  encoding: fc.constantFrom('UTF-8', 'UTF-16le', 'UTF-16be'),
  autoVacuum: fc.constantFrom(0, 1, 2),
  reservedBytes: fc.constantFrom(0, 1, 8, 32),
  schemaFormat: fc.constantFrom(1, 2, 3, 4),
});

export interface AnyRow {
  readonly rowid: bigint;
  readonly values: [Value, Value, Value];
  /** Stored as text whatever the bytes. */
  readonly textBytes: Buffer;
}

export const anyRow: fc.Arbitrary<AnyRow> = fc.record({
  rowid: fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -300n, max: 300n }),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n),
  ),
  values: fc.tuple(value, value, value),
  textBytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
});

export function fillWith(db: Database.Database, rows: readonly AnyRow[]): void {
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
