import type Database from 'better-sqlite3';
import type { TextEncoding } from '../../sqlite/header.ts';
import { carriesRowid, ROWID_COLUMN } from './read-rows.ts';
import type { ColumnForm, TableForm } from './table-form.ts';

/** The line before the rows of a table, and the line after them. */

export const HEADER_VERSION = 1;
export interface HeaderColumn extends ColumnForm {
  /** True for the row id, which is no column of the table. */
  readonly rowid?: boolean;
}

export interface TableHeader {
  readonly $table: string;
  /** The n-th describes the n-th value of every row; generated ones, which rows have no value for, come last. */
  readonly $columns: readonly HeaderColumn[];
  readonly $db: string | null;
  /** What names the one moment at which all tables of a file were read. */
  readonly $snapshotTxn: string | null;
  readonly $version: number;
  /** The definition of the table, and of its indexes; null of a virtual table, which is not made anew. */
  readonly $sql: string | null;
  readonly $indexes: readonly string[];
  /** Of an AUTOINCREMENT table that ever gave a row id: the highest, as a decimal number. */
  readonly $sequence: string | null;
  /** What `$t` values are bytes of. */
  readonly $encoding: TextEncoding;
  readonly $userVersion: number;
  readonly $applicationId: number;
}

export interface TableFooter {
  readonly $rows: number;
  /** Of the lines of the header and the rows, each with one line feed; null: only the rows were counted. */
  readonly $sha256: string | null;
}

const ROWID: HeaderColumn = {
  name: ROWID_COLUMN,
  declType: 'INTEGER',
  pk: 0,
  notnull: true,
  generated: false,
  rowid: true,
};

function indexesOf(database: Database.Database, table: string): string[] {
  return database
    .prepare<[string], string>(
      `SELECT sql FROM main.sqlite_schema
       WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY name`,
    )
    .pluck()
    .all(table);
}

function hasSequences(database: Database.Database): boolean {
  const sql = `SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'`;
  return database.prepare(sql).get() !== undefined;
}

/** The highest row id that an AUTOINCREMENT table ever gave; null for others. */
export function sequenceOf(database: Database.Database, table: string): bigint | null {
  if (!hasSequences(database)) return null;
  const sql = `SELECT max(seq) FROM main.sqlite_sequence WHERE name = ? AND typeof(seq) = 'integer'`;
  return database.prepare<[string], bigint | null>(sql).pluck().safeIntegers().get(table) ?? null;
}

/** No row id is given a second time: the sequence of a table only ever goes up. */
export function raiseSequence(database: Database.Database, table: string, highest: bigint): void {
  if (!hasSequences(database)) return;
  const known = sequenceOf(database, table);
  if (known !== null && known >= highest) return;
  database.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?').run(table);
  database.prepare('INSERT INTO main.sqlite_sequence(name, seq) VALUES(?, ?)').run(table, highest);
}

export function describeTable(
  database: Database.Database,
  form: TableForm,
  facts: {
    readonly databaseName: string;
    readonly snapshotTxn: string | null;
    readonly encoding: TextEncoding;
  },
): TableHeader {
  const virtual = form.kind === 'virtual';
  const { columns } = form;
  return {
    $table: form.name,
    $columns: [
      ...(carriesRowid(form) ? [ROWID] : []),
      ...columns.filter(({ generated }) => !generated),
      ...columns.filter(({ generated }) => generated),
    ],
    $db: facts.databaseName,
    $snapshotTxn: facts.snapshotTxn,
    $version: HEADER_VERSION,
    $sql: virtual ? null : form.sql,
    $indexes: virtual ? [] : indexesOf(database, form.name),
    $sequence: sequenceOf(database, form.name)?.toString() ?? null,
    $encoding: facts.encoding,
    $userVersion: database.pragma('user_version', { simple: true }) as number,
    $applicationId: database.pragma('application_id', { simple: true }) as number,
  };
}
