import Database from 'better-sqlite3';

/** Everything that an application can see of a database, for comparison: schema, rows with types and bytes, settings. */

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

interface TableInfo {
  readonly name: string;
  readonly wr: number;
  readonly type: string;
}

/** One text per row, by table: equal exactly when all keys, values and their types are. */
export function rowsOf(path: string): Map<string, string[]> {
  const database = new Database(path, { fileMustExist: true });
  try {
    const tables = database
      .prepare<[], TableInfo>(
        `SELECT name, wr, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')
         AND name NOT LIKE 'sqlite_schema' ORDER BY name`,
      )
      .all();
    return new Map(tables.map((table) => [table.name, rowsOfTable(database, table)]));
  } finally {
    database.close();
  }
}

function rowsOfTable(database: Database.Database, { name, wr, type }: TableInfo): string[] {
  const columns = database
    .prepare<[string], string>(`SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1`)
    .pluck()
    .all(name);
  const taken = new Set(columns);
  const rowid = ['rowid', '_rowid_', 'oid'].find((each) => !taken.has(each));
  const key = wr === 0 && rowid !== undefined ? [rowid] : [];
  const contentless = type === 'virtual' && columns.length === 0;
  if (contentless) return [];
  const parts = [
    ...key,
    ...columns.flatMap((column) => [
      `typeof(${quoted(column)})`,
      `hex(CAST(${quoted(column)} AS BLOB))`,
    ]),
  ];
  const counts =
    name === 'sqlite_sequence' || name.startsWith('sqlite_stat') ? parts.slice(1) : parts;
  return database
    .prepare<[], string>(`SELECT ${counts.join(` || '|' || `)} FROM ${quoted(name)}`)
    .pluck()
    .all()
    .sort();
}

export function dumpOf(path: string): unknown {
  const rows = Object.fromEntries(rowsOf(path));
  const database = new Database(path, { fileMustExist: true });
  try {
    const setting = (name: string): unknown => database.pragma(name, { simple: true });
    return {
      rows,
      schema: database
        .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
        .all(),
      integrity: database.pragma('integrity_check'),
      settings: ['page_size', 'encoding', 'auto_vacuum', 'user_version', 'application_id'].map(
        setting,
      ),
    };
  } finally {
    database.close();
  }
}
