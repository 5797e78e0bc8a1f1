import type Database from 'better-sqlite3';

/** A table as SQLite itself describes it: what of its rows can be read, written, and told apart. */

export interface ColumnForm {
  readonly name: string;
  readonly declType: string;
  /** Position in the primary key, from 1; 0 outside it. */
  readonly pk: number;
  readonly notnull: boolean;
  /** Follows from the others: it is neither read nor written. */
  readonly generated: boolean;
}

export interface KeyColumn {
  readonly name: string;
  readonly collation: string;
}

export interface TableForm {
  readonly name: string;
  readonly kind: 'table' | 'virtual';
  readonly sql: string | null;
  /** In the order of the declaration; hidden columns of virtual tables are none of them. */
  readonly columns: readonly ColumnForm[];
  /** What names the row id in SQL; null where there is none, or where columns bear all of its names. */
  readonly rowid: string | null;
  /** The column that is the row id itself. */
  readonly rowidAlias: string | null;
  /** The declared primary key; empty without one. */
  readonly key: readonly KeyColumn[];
  /** Never gives a row id twice. */
  readonly autoincrement: boolean;
}

export type TableKind = 'table' | 'view' | 'virtual' | 'shadow';

export interface TableName {
  readonly name: string;
  readonly kind: TableKind;
  readonly withoutRowid: boolean;
}

const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];
const HIDDEN = 1;

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** SQLite compares names without regard to case, that of ASCII letters only. */
export const folded = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

const LISTED = `schema = 'main' AND lower(substr(name, 1, 7)) <> 'sqlite_'`;

interface ListedTable {
  readonly name: string;
  readonly kind: TableKind;
  readonly wr: number;
}

const asName = ({ name, kind, wr }: ListedTable): TableName => ({
  name,
  kind,
  withoutRowid: wr === 1,
});

/** All that can be asked for by name, without SQLite's own. */
export function listTables(database: Database.Database): TableName[] {
  const sql = `SELECT name, type AS kind, wr FROM pragma_table_list WHERE ${LISTED} ORDER BY name`;
  return database.prepare<[], ListedTable>(sql).all().map(asName);
}

/** @returns null when there is no such table, whatever the case of its letters */
export function findTable(database: Database.Database, name: string): TableName | null {
  const sql = `SELECT name, type AS kind, wr FROM pragma_table_list(?) WHERE ${LISTED}`;
  const found = database.prepare<[string], ListedTable>(sql).get(name);
  return found === undefined ? null : asName(found);
}

interface ColumnRow {
  readonly name: string;
  readonly declType: string;
  readonly notnull: number;
  readonly pk: number;
  readonly hidden: number;
}

function columnRows(database: Database.Database, table: string): ColumnRow[] {
  return database
    .prepare<[string], ColumnRow>(
      `SELECT name, type AS declType, "notnull", pk, hidden
       FROM pragma_table_xinfo(?, 'main') ORDER BY cid`,
    )
    .all(table);
}

/** The key as its index compares it; of a row id, which needs no index, the column alone. */
function keyOf(database: Database.Database, table: string): KeyColumn[] | null {
  const index = database
    .prepare<[string], string>(`SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'pk'`)
    .pluck()
    .get(table);
  if (index === undefined) return null;
  return database
    .prepare<[string], KeyColumn>(
      `SELECT name, coll AS collation FROM pragma_index_xinfo(?, 'main') WHERE "key" ORDER BY seqno`,
    )
    .all(index);
}

function sqlOf(database: Database.Database, table: string): string | null {
  const sql = `SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?`;
  return database.prepare<[string], string | null>(sql).pluck().get(table) ?? null;
}

const asColumn = ({ name, declType, pk, notnull, hidden }: ColumnRow): ColumnForm => ({
  name,
  declType,
  pk,
  notnull: notnull === 1,
  generated: hidden > HIDDEN,
});

/** @param table one of `listTables` that holds rows of its own: no view */
export function readTableForm(database: Database.Database, table: TableName): TableForm {
  const rows = columnRows(database, table.name);
  const keyed = rows.filter(({ pk }) => pk > 0);
  const index = table.kind === 'virtual' ? null : keyOf(database, table.name);
  const rowidAlias = keyed.length === 1 && index === null ? keyed[0]!.name : null;
  const taken = new Set(rows.map(({ name }) => folded(name)));
  const free = ROWID_NAMES.find((name) => !taken.has(name)) ?? null;
  const rowid = rowidAlias === null ? free : quoted(rowidAlias);
  const sql = sqlOf(database, table.name);
  return {
    name: table.name,
    kind: table.kind === 'virtual' ? 'virtual' : 'table',
    sql,
    columns: rows.filter(({ hidden }) => hidden !== HIDDEN).map(asColumn),
    rowid: table.withoutRowid ? null : rowid,
    rowidAlias,
    key: index ?? (rowidAlias === null ? [] : [{ name: rowidAlias, collation: 'BINARY' }]),
    autoincrement: rowidAlias !== null && /\bautoincrement\b/i.test(sql ?? ''),
  };
}
