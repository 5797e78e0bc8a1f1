import type Database from 'better-sqlite3';
import { systemCode } from '../kernel/errors.ts';

/**
 * The check of a database that needs what only its application has: a collation or a function of its own. SQLite
 * refuses to check such a database as a whole; table by table, all of it but those few tables can be checked, and
 * of those every row is read.
 */

/** True when SQLite refused a statement for a function, collation or module that this process does not have. */
export function isForeignDefinition(error: unknown): boolean {
  const code = systemCode(error);
  if (code === 'SQLITE_ERROR_MISSING_COLLSEQ') return true;
  return (
    code === 'SQLITE_ERROR' &&
    /unknown function|no such function|no such collation|no such module|unknown tokenizer|no such tokenizer/.test(
      (error as Error).message,
    )
  );
}

function ordinaryTables(database: Database.Database): string[] {
  return database
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY rootpage`,
    )
    .pluck()
    .all();
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function readEveryRow(database: Database.Database, table: string): void {
  const rows = database
    .prepare(`SELECT * FROM main.${quoted(table)} NOT INDEXED`)
    .raw()
    .iterate();
  // Being read is the check.
  while (rows.next().done !== true);
}

function readWhatCanBeRead(database: Database.Database, table: string): void {
  try {
    readEveryRow(database, table);
  } catch (error) {
    // A generated column may call the missing function; such a table's pages stay unread.
    if (!isForeignDefinition(error)) throw error;
  }
}

/** Rows of `quick_check` or `integrity_check`, table after table. Throws as those do. */
export function* checkTableByTable(
  database: Database.Database,
  pragma: 'quick_check' | 'integrity_check',
): Generator<string> {
  for (const table of ['sqlite_schema', ...ordinaryTables(database)]) {
    try {
      yield* database
        .prepare<[], string>(`PRAGMA main.${pragma}(${quoted(table)})`)
        .pluck()
        .iterate();
    } catch (error) {
      if (!isForeignDefinition(error)) throw error;
      readWhatCanBeRead(database, table);
    }
  }
}
