import type Database from 'better-sqlite3';

/** How the rows of an ordinary table are read and written by name. */
export interface TableLayout {
  readonly name: string;
  /** Columns that hold values, in their order: generated ones are left out. */
  readonly columns: readonly string[];
  readonly hasGenerated: boolean;
  readonly withoutRowid: boolean;
  /** A name by which the rowid can be told; null where the table has none, or columns took all three names. */
  readonly rowidName: string | null;
  /** The column that is the rowid (INTEGER PRIMARY KEY), or null. */
  readonly rowidColumn: string | null;
}

const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];

interface ColumnRow {
  readonly name: string;
  /** 0 ordinary, 2 virtual and 3 stored generated. */
  readonly hidden: number;
  readonly pk: number;
}

/** Reads nothing but the schema: no expression, collation or trigger of the database is looked at. */
export function readTableLayout(database: Database.Database, table: string): TableLayout {
  const all = database
    .prepare<[string], ColumnRow>(`SELECT name, hidden, pk FROM pragma_table_xinfo(?, 'main')`)
    .safeIntegers(false)
    .all(table);
  const columns = all.filter(({ hidden }) => hidden === 0).map(({ name }) => name);
  const withoutRowid = isWithoutRowid(database, table);
  const taken = new Set(all.map(({ name }) => name.toLowerCase()));
  const rowidName = ROWID_NAMES.find((name) => !taken.has(name)) ?? null;
  const keys = all.filter(({ pk }) => pk > 0);
  const rowidColumn =
    !withoutRowid && keys.length === 1 && !hasKeyIndex(database, table) ? keys[0]!.name : null;
  return {
    name: table,
    columns,
    hasGenerated: columns.length < all.length,
    withoutRowid,
    rowidName: withoutRowid ? null : (rowidColumn ?? rowidName),
    rowidColumn,
  };
}

function isWithoutRowid(database: Database.Database, table: string): boolean {
  return (
    database
      .prepare<[string], number>(`SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'`)
      .pluck()
      .safeIntegers(false)
      .get(table) === 1
  );
}

/** A primary key that is the rowid has no index of its own. */
function hasKeyIndex(database: Database.Database, table: string): boolean {
  return (
    database
      .prepare<[string], number>(
        `SELECT count(*) FROM pragma_index_list(?, 'main') WHERE origin = 'pk'`,
      )
      .pluck()
      .safeIntegers(false)
      .get(table) !== 0
  );
}
