import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { quietActivity } from '../../../kernel/activity.ts';
import { exportTables, type TableCount } from '../export-tables.ts';
import { type ImportTablesOptions, importTables, type TableImport } from '../import-tables.ts';

/** A directory for one test. */
export function withDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'tables-test-'));
  const end = (): void => rmSync(directory, { recursive: true, force: true });
  const result = use(directory);
  if (result instanceof Promise) return result.finally(end) as T;
  end();
  return result;
}

export function memory(sql = '', encoding = 'UTF-8'): Database.Database {
  const database = new Database(':memory:');
  database.pragma(`encoding = '${encoding}'`);
  database.exec(sql);
  return database;
}

export async function exported(
  database: Database.Database,
  options: { tables?: readonly string[] | null; plain?: boolean; required?: boolean } = {},
): Promise<{ text: string; counts: readonly TableCount[] }> {
  const { tables = null, plain = false, ...rest } = options;
  const activity = quietActivity();
  const pieces = exportTables(database, {
    tables,
    plain,
    ...rest,
    databaseName: 'data/app.db',
    activity,
  });
  let text = '';
  for (;;) {
    const next = await pieces.next();
    if (next.done === true) return { text, counts: next.value };
    text += next.value;
  }
}

/** A text in pieces that end anywhere. */
export async function* pieces(
  text: string | Uint8Array,
  bytes = 7_001,
): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

export function imported(
  database: Database.Database,
  text: string | Uint8Array,
  options: Partial<ImportTablesOptions> = {},
): Promise<readonly TableImport[]> {
  const activity = quietActivity();
  return importTables(pieces(text), database, { mode: 'replace', activity, ...options });
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Every stored row of a table, with row ids where it has them: types, bytes of text, bits of reals. */
export function storedRows(database: Database.Database, table: string, rowid = 'rowid'): string[] {
  const columns = database
    .prepare<[string], string>('SELECT name FROM pragma_table_info(?)')
    .pluck()
    .all(table)
    .map(quoted);
  const [first] = rowid === '' ? columns : [rowid];
  const values = columns.flatMap((c) => [
    `typeof(${c})`,
    `CASE typeof(${c}) WHEN 'text' THEN hex(CAST(${c} AS BLOB)) WHEN 'blob' THEN hex(${c}) ELSE ${c} END`,
  ]);
  return database
    .prepare<[], unknown[]>(
      `SELECT ${[...(rowid === '' ? [] : [rowid]), ...values].join(', ')} FROM ${quoted(table)} ORDER BY ${first}`,
    )
    .raw()
    .safeIntegers()
    .all()
    .map((row) => row.map((value) => (Object.is(value, -0) ? '-0' : String(value))).join('|'));
}
