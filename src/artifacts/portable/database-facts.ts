import Database from 'better-sqlite3';
import type { ArtifactSettings, ArtifactVersion } from '../../config/artifact-settings.ts';
import { cannot, messageOf } from '../../kernel/errors.ts';
import { type ArtifactFacts, isCursor } from './manifest.ts';

/** What a manifest says of a database, read in one transaction. */

export type DatabaseFacts = Pick<
  ArtifactFacts,
  | 'modelVersion'
  | 'schemaVersion'
  | 'migrationVersion'
  | 'cursor'
  | 'pragmas'
  | 'tables'
  | 'foreignKeyViolations'
>;

export type FactQueries = Pick<
  ArtifactSettings,
  | 'modelVersion'
  | 'modelVersionQuery'
  | 'schemaVersionQuery'
  | 'migrationVersionQuery'
  | 'cursorQuery'
>;

export const NO_QUERIES: FactQueries = {
  modelVersion: null,
  modelVersionQuery: null,
  schemaVersionQuery: null,
  migrationVersionQuery: null,
  cursorQuery: null,
};

const AUTO_VACUUM = ['none', 'full', 'incremental'] as const;
const VIOLATIONS_COUNTED_MAX = 10_000;

/** Ordinary tables of the application, by name: no shadow tables, nothing of SQLite's own. */
export function userTables(database: Database.Database): string[] {
  const rows = database
    .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    .pluck()
    .all() as string[];
  return rows.filter((name) => !name.toLowerCase().startsWith('sqlite_')).sort();
}

function rowsOf(database: Database.Database, table: string): number {
  const name = `"${table.replaceAll('"', '""')}"`;
  return database.prepare(`SELECT count(*) FROM main.${name}`).pluck().get() as number;
}

/** Of one table. A definition that SQLite cannot follow, such as a parent without a key, counts as one. */
function violationsIn(database: Database.Database, table: string, countMax: number): number {
  let count = 0;
  const name = `"${table.replaceAll('"', '""')}"`;
  try {
    const statement = database.prepare(`PRAGMA main.foreign_key_check(${name})`).raw();
    for (const _row of statement.iterate()) {
      count += 1;
      if (count >= countMax) break;
    }
  } catch (error) {
    if (!/foreign key mismatch/.test(messageOf(error))) throw error;
    return 1;
  }
  return count;
}

function violationsOf(database: Database.Database, tables: readonly string[]): number {
  let count = 0;
  for (const table of tables) {
    count += violationsIn(database, table, VIOLATIONS_COUNTED_MAX - count);
    if (count >= VIOLATIONS_COUNTED_MAX) break;
  }
  return count;
}

/** The first value of the first row as text; null where there is none, or it is null. @throws SANITY_FAILED */
function ask(database: Database.Database, sql: string, what: string): string | null {
  try {
    const statement = database.prepare<[], unknown[]>(sql);
    if (!statement.reader || !statement.readonly) throw new Error('it is no query');
    const [value] = statement.safeIntegers().raw().get() ?? [];
    return value === undefined || value === null ? null : String(value);
  } catch (error) {
    throw cannot('SANITY_FAILED', 'read from the database', what, messageOf(error), {
      hint: `Correct ${what}Query in the settings, or what it asks for.`,
      details: { sql },
    });
  }
}

function askVersion(
  database: Database.Database,
  sql: string,
  what: string,
): ArtifactVersion | null {
  const text = ask(database, sql, what);
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (/^\d{1,9}(\.\d{1,9}){1,3}$/.test(text)) return text;
  throw cannot('SANITY_FAILED', 'read from the database', what, `"${text.slice(0, 40)}" is none`, {
    hint: `A version is a whole number, or dotted numbers. Correct ${what}Query in the settings.`,
  });
}

const pragma = (database: Database.Database, name: string): number =>
  database.pragma(name, { simple: true }) as number;

/**
 * In a transaction of its own, on a file that nobody else has. `warn` hears of a cursor that is none: it is then noted
 * as unknown.
 * @throws SANITY_FAILED where a query cannot be answered
 */
export function readFacts(
  path: string,
  queries: FactQueries,
  warn: (message: string) => void,
): DatabaseFacts {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.pragma('query_only = ON');
    database.exec('BEGIN');
    const userVersion = pragma(database, 'user_version');
    const { modelVersionQuery, schemaVersionQuery, migrationVersionQuery, cursorQuery } = queries;
    const tables = userTables(database);
    const cursor = cursorQuery === null ? null : ask(database, cursorQuery, 'cursor');
    const hasCursor = cursor !== null && isCursor(cursor);
    if (cursor !== null && !hasCursor) warn(`"${cursor.slice(0, 40)}" is no cursor; none is noted`);
    return {
      modelVersion:
        modelVersionQuery === null
          ? queries.modelVersion
          : askVersion(database, modelVersionQuery, 'modelVersion'),
      schemaVersion:
        schemaVersionQuery === null
          ? Math.max(0, userVersion)
          : askVersion(database, schemaVersionQuery, 'schemaVersion'),
      migrationVersion:
        migrationVersionQuery === null
          ? null
          : ask(database, migrationVersionQuery, 'migrationVersion'),
      cursor: hasCursor ? cursor : null,
      pragmas: {
        userVersion,
        applicationId: pragma(database, 'application_id'),
        pageBytes: pragma(database, 'page_size'),
        encoding: database.pragma('encoding', { simple: true }) as 'UTF-8',
        autoVacuum: AUTO_VACUUM[pragma(database, 'auto_vacuum')] ?? 'none',
      },
      tables: tables.map((name) => ({ name, rows: rowsOf(database, name) })),
      foreignKeyViolations: violationsOf(database, tables),
    };
  } finally {
    database.close();
  }
}
