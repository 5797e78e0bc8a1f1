import Database from 'better-sqlite3';
import type { DatabaseHeader, TextEncoding } from '../../sqlite/header.ts';
import { fullTextTables, type SchemaObject } from '../damage.ts';
import { quoted } from './quoted.ts';
import type { SalvageSchema } from './salvage-schema.ts';
import { shadowDefinitions, soundDefinition } from './shadow-tables.ts';

/** The empty database that rows are salvaged into, and what is made of it once they are in. */

/**
 * What of a header the application may rely on. Not the reserved bytes at the end of each page: an extension that checks
 * or encrypts what it keeps there would find it missing, while pages without any are read by all.
 */
export interface DatabaseTraits {
  readonly pageBytes: number;
  readonly encoding: TextEncoding;
  readonly autoVacuum: 'none' | 'full' | 'incremental';
  readonly userVersion: number;
  readonly applicationId: number;
}

export function traitsOf(header: DatabaseHeader): DatabaseTraits {
  const { pageBytes, encoding, userVersion, applicationId } = header;
  const incremental = header.incrementalVacuum ? 'incremental' : 'full';
  const autoVacuum = header.autoVacuum ? incremental : 'none';
  return { pageBytes, encoding, autoVacuum, userVersion, applicationId };
}

/** Opens the file without any of the application's own rules: no foreign keys, no CHECK, shadow tables writable. */
export function openForSalvage(path: string): Database.Database {
  const database = new Database(path, { timeout: 0 });
  // Shadow tables and the schema itself are written.
  database.unsafeMode(true);
  database.pragma('mmap_size = 0');
  database.pragma('foreign_keys = OFF');
  database.pragma('ignore_check_constraints = ON');
  database.pragma('trusted_schema = OFF');
  // A file in scratch: what a crash leaves of it is thrown away.
  database.pragma('synchronous = OFF');
  return database;
}

/**
 * Makes the tables, and the indexes that can refuse a row: rows of higher rank are inserted first, so that of two rows
 * that exclude each other the right one stays.
 * @returns what tables are called whose definition says another name than the schema that holds it
 * @throws SQLITE_ERROR when a definition needs functions or collations that only the application has
 */
export function createTables(
  database: Database.Database,
  traits: DatabaseTraits,
  schema: SalvageSchema,
): ReadonlyMap<string, string> {
  database.pragma(`page_size = ${traits.pageBytes}`);
  database.pragma(`encoding = '${traits.encoding}'`);
  database.pragma(`auto_vacuum = ${traits.autoVacuum}`);
  // Tables of SQLite's own, such as statistics, have reserved names.
  database.pragma('writable_schema = ON');
  database.exec('BEGIN');
  const renamed = new Map<string, string>();
  const shadows = shadowDefinitions(schema.virtualTables);
  for (const { name, sql } of schema.tables) {
    const created = createTable(database, soundDefinition(sql!, shadows.get(name)));
    if (created !== null && created.toLowerCase() !== name.toLowerCase())
      renamed.set(name, created);
  }
  for (const { sql } of schema.uniqueIndexes) database.exec(sql!);
  database.exec('COMMIT');
  database.pragma('writable_schema = OFF');
  database.pragma(`user_version = ${traits.userVersion}`);
  database.pragma(`application_id = ${traits.applicationId}`);
  return renamed;
}

/** The name of the table that a definition made; null where it made none. */
function createTable(database: Database.Database, sql: string): string | null {
  database.exec(sql);
  const newest = `SELECT name FROM main.sqlite_schema 
    WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY rowid DESC LIMIT 1`;
  return database.prepare<[], string>(newest).pluck().get() ?? null;
}

/**
 * Writes virtual tables into the schema without asking their modules, which would make their shadow tables again, and
 * rebuilds the full-text ones from their content.
 * @returns those whose definition can be read; the others are left out
 */
export function attachVirtualTables(
  database: Database.Database,
  virtualTables: readonly SchemaObject[],
): readonly SchemaObject[] {
  if (virtualTables.length === 0) return [];
  database.pragma('writable_schema = ON');
  const add = database.prepare(
    `INSERT INTO main.sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES('table', ?, ?, 0, ?)`,
  );
  const sound = virtualTables.filter(({ sql }) => isParsed(sql!));
  for (const { name, table, sql } of sound) add.run(name, table, sql);
  database.pragma('writable_schema = RESET');
  return sound;
}

/** A definition that does not parse would make the whole schema unreadable. Its module is not asked. */
function isParsed(sql: string): boolean {
  const parser = new Database(':memory:');
  try {
    parser.prepare(sql);
    return true;
  } catch {
    return false;
  } finally {
    parser.close();
  }
}

const FTS5 = /\busing\s+["'`[]?fts5\b/i;
/** The format in which a rebuild writes. Without this row FTS5 refuses to open its table. */
const FTS5_FORMAT = 4;

export function rebuildFullText(
  database: Database.Database,
  virtualTables: readonly SchemaObject[],
  signal: AbortSignal,
): void {
  for (const { name } of fullTextTables(virtualTables)) {
    signal.throwIfAborted();
    const { sql } = virtualTables.find((each) => each.name === name)!;
    if (FTS5.test(sql ?? '')) {
      database
        .prepare(
          `INSERT OR IGNORE INTO main.${quoted(`${name}_config`)}(k, v) VALUES('version', ?)`,
        )
        .run(BigInt(FTS5_FORMAT));
    }
    database.exec(`INSERT INTO main.${quoted(name)}(${quoted(name)}) VALUES('rebuild')`);
  }
}

/** What was left out while rows went in. */
export function createRest(
  database: Database.Database,
  { otherIndexes, views, triggers }: SalvageSchema,
  signal: AbortSignal,
): void {
  for (const { sql } of [...otherIndexes, ...views, ...triggers]) {
    signal.throwIfAborted();
    database.exec(sql!);
  }
}
