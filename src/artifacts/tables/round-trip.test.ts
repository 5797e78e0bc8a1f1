import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { type ImportMode, importNewDatabase } from './import-tables.ts';
import {
  exported,
  imported,
  memory,
  pieces,
  storedRows,
  withDirectory,
} from './testing/table-files.ts';

/** Any bytes as text; of which some are no text. */
class Bytes {
  readonly bytes: Buffer;
  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }
}

type Value = null | bigint | number | string | Buffer | Bytes;

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer().map(BigInt),
  fc.double({ noNaN: true }),
  fc.constantFrom(1, -0, 0, 2 ** 53, 1e300, Number.POSITIVE_INFINITY, 5e-324),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('', '\0', '\uFFFD', '\uFFFE\uFFFF', '1.0', '007', '{"$b":""}', '\r\n\u2028"\\'),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 10 }).map((bytes) => new Bytes(bytes)),
);

/** Forms of a table with three places for values; `key`: what one more value, that differs in each row, is put in. */
const FORMS = {
  plain: 'CREATE TABLE t(a, b, c)',
  typed: 'CREATE TABLE t(a INTEGER, b TEXT, c REAL)',
  numeric: 'CREATE TABLE t(a NUMERIC, b BLOB, c ANY)',
  integerKey: 'CREATE TABLE t(key INTEGER PRIMARY KEY, a, b, c)',
  autoincrement: 'CREATE TABLE t(a, key INTEGER PRIMARY KEY AUTOINCREMENT, b, c)',
  textKey: 'CREATE TABLE t(key TEXT PRIMARY KEY, a, b, c)',
  descending: 'CREATE TABLE t(key INTEGER PRIMARY KEY DESC, a, b, c)',
  composite: "CREATE TABLE t(a, b, c, fixed TEXT DEFAULT 'k', key, PRIMARY KEY(key, fixed))",
  withoutRowid: 'CREATE TABLE t(a, key TEXT COLLATE NOCASE PRIMARY KEY, b, c) WITHOUT ROWID',
  generated: 'CREATE TABLE t(a, g1 AS (typeof(a)), b, g2 TEXT AS (typeof(b)) STORED, c)',
  strict: 'CREATE TABLE t(key INTEGER PRIMARY KEY, a ANY, b ANY, c ANY) STRICT',
  rowidTaken: 'CREATE TABLE t(rowid, a, _rowid_ TEXT, b, c)',
  allTaken: 'CREATE TABLE t(rowid, a, oid, b, c, _rowid_)',
  proto: 'CREATE TABLE t(a, b, c, "__proto__" DEFAULT 1, "$rowid" DEFAULT 2, "$table" DEFAULT 3)',
  odd: 'CREATE TABLE t(a, b, c, "we""ird, name\n" DEFAULT 5, [select] DEFAULT x\'00\')',
} as const;
type Form = keyof typeof FORMS;

interface Rows {
  readonly form: Form;
  readonly encoding: string;
  readonly rows: readonly (readonly [Value, Value, Value])[];
  readonly keys: readonly number[];
}

const tableRows: fc.Arbitrary<Rows> = fc.record({
  form: fc.constantFrom(...(Object.keys(FORMS) as Form[])),
  encoding: fc.constantFrom('UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be'),
  rows: fc.array(fc.tuple(value, value, value), { maxLength: 12 }),
  keys: fc.uniqueArray(fc.integer({ min: -99, max: 1e9 }), { minLength: 12, maxLength: 12 }),
});

function fill({ form, encoding, rows, keys }: Rows, schemaOnly = false): Database.Database {
  const database = memory(FORMS[form], encoding);
  const keyed = FORMS[form].includes('key');
  for (const [index, row] of schemaOnly ? [] : rows.entries()) {
    const values = keyed ? [...row, BigInt(keys[index]!)] : row;
    const names = ['a', 'b', 'c', ...(keyed ? ['key'] : [])];
    const places = values.map((each) => (each instanceof Bytes ? 'CAST(? AS TEXT)' : '?'));
    database
      .prepare(`INSERT INTO t(${names}) VALUES(${places})`)
      .run(...values.map((each) => (each instanceof Bytes ? each.bytes : each)));
  }
  return database;
}

const rowidOf = (form: Form): string =>
  form === 'withoutRowid' || form === 'allTaken' ? '' : form === 'rowidTaken' ? 'oid' : 'rowid';
const hasKey = (form: Form): boolean => FORMS[form].includes('key') || form !== 'allTaken';

describe('export and import', () => {
  it('F17, T-33, T-D12, T-D13: any values in any form of table come back in every mode, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        tableRows,
        fc.constantFrom<ImportMode>('insert-ignore', 'upsert', 'replace'),
        fc.boolean(),
        async (table, mode, plain) => {
          fc.pre(mode !== 'upsert' || hasKey(table.form));
          const source = fill(table);
          const target = fill(table, true);
          const options = { mode, table: 't' };
          fc.pre(
            !plain || (mode !== 'upsert' && table.rows.length > 0 && table.encoding === 'UTF-8'),
          );
          const { text } = await exported(source, { plain, tables: ['t'] });
          const [outcome] = await imported(target, text, options);
          expect(outcome).toMatchObject({ inserted: table.rows.length, updated: 0, ignored: 0 });
          const rowid = rowidOf(table.form);
          expect(storedRows(target, 't', rowid)).toEqual(storedRows(source, 't', rowid));
          source.close();
          target.close();
        },
      ),
      { numRuns: 300 },
    );
  });

  it('F17: the same again changes nothing, whatever the mode', async () => {
    await fc.assert(
      fc.asyncProperty(
        tableRows,
        fc.constantFrom<ImportMode>('insert-ignore', 'upsert', 'replace'),
        async (table, mode) => {
          fc.pre(table.form !== 'allTaken' || mode === 'replace');
          const source = fill(table);
          const rowid = rowidOf(table.form);
          const before = storedRows(source, 't', rowid);
          const { text } = await exported(source);
          await imported(source, text, { mode });
          expect(storedRows(source, 't', rowid)).toEqual(before);
          source.close();
        },
      ),
      { numRuns: 150 },
    );
  });

  it('F17, T-D13: a new database is made of the headers, with definitions, indexes and encoding', async () => {
    await withDirectory(async (directory) => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(tableRows, async (table) => {
          const source = fill(table);
          source.exec(`CREATE INDEX "t i" ON t(a, c) WHERE b IS NOT NULL;
            CREATE TABLE "select"(x UNIQUE); PRAGMA user_version = 7; PRAGMA application_id = -3;`);
          const { text } = await exported(source);
          const path = join(directory, `${(count += 1)}.db`);
          await importNewDatabase(pieces(text), path, { activity: quietActivity() });
          const made = new Database(path, { fileMustExist: true });
          const rowid = rowidOf(table.form);
          expect(storedRows(made, 't', rowid)).toEqual(storedRows(source, 't', rowid));
          const schema = 'SELECT type, name, sql FROM sqlite_schema ORDER BY name';
          expect(made.prepare(schema).all()).toEqual(source.prepare(schema).all());
          for (const pragma of ['encoding', 'user_version', 'application_id']) {
            expect(made.pragma(pragma)).toEqual(source.pragma(pragma));
          }
          made.close();
          source.close();
        }),
        { numRuns: 60 },
      );
    });
  });
});
