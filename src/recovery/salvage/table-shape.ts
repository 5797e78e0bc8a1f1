import type Database from 'better-sqlite3';
import { quoted } from './quoted.ts';

/** How the records of one table map to its columns, as SQLite itself says of the table. */
export interface TableShape {
  readonly name: string;
  /** Records in the order in which a row stores them; virtual generated columns are not stored. */
  readonly stored: readonly StoredColumn[];
  /** What names the row id in SQL; null where there is none, or where columns bear all of its names. */
  readonly rowid: string | null;
  readonly withoutRowid: boolean;
  /** Position in `stored` of the column that is the row id itself, whose record holds NULL in its place; or null. */
  readonly rowidAlias: number | null;
  /** Of a WITHOUT ROWID table: its key, which the first `key.length` stored columns make up. Else empty. */
  readonly key: readonly KeyColumn[];
}

export interface StoredColumn {
  readonly name: string;
  /** Stored, but computed: it cannot be inserted. */
  readonly generated: boolean;
  /** Numbers become text in it. */
  readonly textOnly: boolean;
  /** A record from before the column was added may lack it. */
  readonly mayBeAbsent: boolean;
}

export interface KeyColumn {
  readonly name: string;
  readonly collation: string;
  readonly descending: boolean;
}

interface ColumnInfo {
  readonly cid: number;
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
  readonly pk: number;
  /** 2: generated, not stored; 3: generated, stored. */
  readonly hidden: number;
}

interface IndexColumn {
  readonly cid: number;
  readonly name: string | null;
  readonly desc: number;
  readonly coll: string;
  readonly key: number;
}

const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];
const VIRTUAL = 2;
const STORED = 3;

/** Column affinity as SQLite derives it from the declared type (https://www.sqlite.org/datatype3.html#determination_of_column_affinity). */
const isText = (type: string): boolean => !/int/i.test(type) && /char|clob|text/i.test(type);

/** What ALTER TABLE ADD COLUMN accepts: no key, no stored computation, and a value for the rows that are there. */
function asStored(column: ColumnInfo, unique: ReadonlySet<number>): StoredColumn {
  const { cid, name, type, hidden, pk, notnull, dflt_value } = column;
  const generated = hidden === STORED;
  return {
    name,
    generated,
    textOnly: isText(type),
    mayBeAbsent:
      pk === 0 && !unique.has(cid) && !generated && (notnull === 0 || dflt_value !== null),
  };
}

/** @returns undefined when there is no such table */
function isWithoutRowid(database: Database.Database, table: string): boolean | undefined {
  const sql = `SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'`;
  const answer = database.prepare<[string], number>(sql).pluck().get(table);
  return answer === undefined ? undefined : answer === 1;
}

/** The index that a primary key made; a row id needs none. */
function primaryKeyIndex(database: Database.Database, table: string): readonly IndexColumn[] {
  const name = database
    .prepare<[string], string>(`SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'pk'`)
    .pluck()
    .get(table);
  if (name === undefined) return [];
  return database
    .prepare<[string], IndexColumn>(
      `SELECT cid, name, "desc", coll, "key" FROM pragma_index_xinfo(?, 'main') ORDER BY seqno`,
    )
    .all(name);
}

/** Columns that the table's own definition makes unique, by number. */
function uniqueColumns(database: Database.Database, table: string): ReadonlySet<number> {
  const sql = `SELECT i.cid FROM pragma_index_list(?, 'main') AS l, pragma_index_info(l.name, 'main') AS i
               WHERE l.origin = 'u'`;
  return new Set(database.prepare<[string], number>(sql).pluck().all(table));
}

/** @returns null when the database has no such table */
export function readTableShape(database: Database.Database, table: string): TableShape | null {
  const withoutRowid = isWithoutRowid(database, table);
  if (withoutRowid === undefined) return null;
  const columns = database
    .prepare<[string], ColumnInfo>(
      `SELECT cid, name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid`,
    )
    .all(table);
  const index = primaryKeyIndex(database, table);
  const unique = uniqueColumns(database, table);
  if (withoutRowid) {
    const byId = new Map(columns.map((column) => [column.cid, column]));
    return {
      name: table,
      stored: index.map(({ cid }) => asStored(byId.get(cid)!, unique)),
      rowid: null,
      withoutRowid: true,
      rowidAlias: null,
      key: index
        .filter(({ key }) => key === 1)
        .map(({ name, coll, desc }) => ({
          name: name!,
          collation: coll,
          descending: desc === 1,
        })),
    };
  }
  const stored = columns.filter(({ hidden }) => hidden !== VIRTUAL);
  const keys = stored.filter(({ pk }) => pk > 0);
  const alias = keys.length === 1 && index.length === 0 ? stored.indexOf(keys[0]!) : null;
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  const free = ROWID_NAMES.find((name) => !taken.has(name)) ?? null;
  return {
    name: table,
    stored: stored.map((column) => asStored(column, unique)),
    rowid: alias === null ? free : quoted(stored[alias]!.name),
    withoutRowid: false,
    rowidAlias: alias,
    key: [],
  };
}
