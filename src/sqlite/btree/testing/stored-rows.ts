import type Database from 'better-sqlite3';
import { type RecordValue, StoredText } from '../../format/record.ts';
import type { KeyColumn } from '../compare-keys.ts';

/** A value in a form that compares: numbers by value, for a REAL may be stored as an integer. */
export function shown(value: RecordValue): string {
  if (value === null) return 'null';
  if (Buffer.isBuffer(value)) return `blob ${value.toString('hex')}`;
  if (value instanceof StoredText) return `text ${value.bytes.toString('hex')}`;
  return `number ${value}`;
}

interface Column {
  readonly name: string;
  readonly rowid: boolean;
}

export interface TableAsSelected {
  readonly name: string;
  readonly root: number;
  readonly withoutRowid: boolean;
  /** Values in the order in which they are stored, after the rowid; rows in the order of rowids, or of themselves. */
  readonly rows: readonly string[];
  /** Position of the INTEGER PRIMARY KEY among the stored columns. */
  readonly rowidColumn: number | null;
  /** Of a WITHOUT ROWID table; `descending` as its SQL says it. */
  readonly keyColumns: readonly KeyColumn[];
}

/** The primary key of a WITHOUT ROWID table, as an index. */
function keyColumnsOf(db: Database.Database, table: string): KeyColumn[] {
  const columns = db
    .prepare(
      `SELECT x.coll, x.desc FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x
       WHERE l.origin = 'pk' AND x.key = 1`,
    )
    .all(table) as any[];
  return columns.map(({ coll, desc }) => ({ collation: coll, descending: Number(desc) === 1 }));
}

/** The order of the columns that a table stores. */
function storedColumns(db: Database.Database, table: string, withoutRowid: boolean): Column[] {
  const columns = db.prepare('SELECT * FROM pragma_table_xinfo(?)').all(table) as any[];
  const stored = columns.filter(({ hidden }) => Number(hidden) !== 2);
  if (withoutRowid) {
    const [key] = db
      .prepare("SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'")
      .all(table) as any[];
    const order = db.prepare('SELECT * FROM pragma_index_xinfo(?)').all(key.name) as any[];
    return order.map(({ name }) => ({ name, rowid: false }));
  }
  const aliases = db
    .prepare(`SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'`)
    .all(table) as any[];
  return stored.map(({ name, type, pk }) => ({
    name,
    rowid: Number(pk) > 0 && aliases.length === 0 && String(type).toUpperCase() === 'INTEGER',
  }));
}

/** Every table that has a tree, with its rows as SQLite selects them in the order of the tree. */
export function selectTables(db: Database.Database): TableAsSelected[] {
  const tables = db
    .prepare(
      `SELECT s.name, rootpage AS root, l.wr FROM sqlite_schema s
       JOIN pragma_table_list l ON l.name = s.name AND l.schema = 'main'
       WHERE s.type = 'table' AND rootpage > 0`,
    )
    .all() as any[];
  return tables.map(({ name, root, wr }) => {
    const withoutRowid = Number(wr) === 1;
    const columns = storedColumns(db, name, withoutRowid);
    const values = columns.map(
      (column) => `typeof("${column.name}"), CASE typeof("${column.name}")
        WHEN 'text' THEN CAST("${column.name}" AS BLOB) ELSE "${column.name}" END`,
    );
    const order = withoutRowid ? '' : 'NOT INDEXED ORDER BY rowid';
    const key = withoutRowid ? '0' : 'rowid';
    const found = db
      .prepare(`SELECT ${[key, ...values].join(', ')} FROM "${name}" ${order}`)
      .raw()
      .safeIntegers()
      .all() as any[][];
    const rowidColumn = columns.findIndex(({ rowid }) => rowid);
    return {
      name,
      root: Number(root),
      withoutRowid,
      rowidColumn: rowidColumn < 0 ? null : rowidColumn,
      keyColumns: withoutRowid ? keyColumnsOf(db, name) : [],
      rows: withoutRowid ? found.map(showSelected).sort() : found.map(showSelected),
    };
  });
}

function showSelected(row: any[]): string {
  const shownValues = [`number ${row[0]}`];
  for (let index = 1; index < row.length; index += 2) {
    const [type, value] = [row[index], row[index + 1]];
    if (type === 'null') shownValues.push('null');
    else if (type === 'text' || type === 'blob')
      shownValues.push(`${type} ${value.toString('hex')}`);
    else shownValues.push(`number ${value}`);
  }
  return shownValues.join(', ');
}
