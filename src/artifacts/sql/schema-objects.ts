import type Database from 'better-sqlite3';
import { quotedName } from './quoted-name.ts';

/** One row of the schema. */
export interface SchemaObject {
  readonly type: 'table' | 'index' | 'view' | 'trigger';
  readonly name: string;
  readonly tableName: string;
  /** Null for the index that a constraint made. */
  readonly sql: string | null;
  /** False for what has no pages of its own: views, triggers, virtual tables. */
  readonly hasPages: boolean;
}

/** The tables that SQLite keeps for itself and whose rows mean something to the application. */
const STATISTICS = new Set(['sqlite_stat1', 'sqlite_stat3', 'sqlite_stat4']);
export const SEQUENCE_TABLE = 'sqlite_sequence';

/** What a database is made of, by what has to be done with it. */
export interface SchemaObjects {
  /** Ordinary tables, those that virtual tables keep their content in included. */
  readonly tables: readonly SchemaObject[];
  readonly virtualTables: readonly SchemaObject[];
  readonly sequence: SchemaObject | null;
  readonly statistics: readonly SchemaObject[];
  readonly indexes: readonly SchemaObject[];
  readonly views: readonly SchemaObject[];
  readonly triggers: readonly SchemaObject[];
}

interface SchemaRow {
  readonly type: SchemaObject['type'];
  readonly name: string;
  readonly tableName: string;
  readonly sql: string | null;
  readonly hasPages: number;
}

export function isReservedName(name: string): boolean {
  return name.slice(0, 7).toLowerCase() === 'sqlite_';
}

export function readSchemaObjects(database: Database.Database): SchemaObjects {
  const rows = database
    .prepare<[], SchemaRow>(
      `SELECT type, name, tbl_name AS tableName, sql, coalesce(rootpage, 0) > 0 AS hasPages
       FROM main.sqlite_schema ORDER BY rowid`,
    )
    .safeIntegers(false)
    .all()
    .map((row): SchemaObject => ({ ...row, hasPages: row.hasPages === 1 }));
  const tables = rows.filter(({ type }) => type === 'table');
  const own = tables.filter(({ name }) => !isReservedName(name));
  const named = (type: string): SchemaObject[] =>
    rows.filter((row) => row.type === type && row.sql !== null);
  return {
    tables: own.filter(({ hasPages }) => hasPages),
    virtualTables: own.filter(({ hasPages }) => !hasPages),
    sequence: tables.find(({ name }) => name === SEQUENCE_TABLE) ?? null,
    statistics: tables.filter(({ name }) => STATISTICS.has(name)),
    indexes: named('index'),
    views: named('view'),
    triggers: named('trigger'),
  };
}

export function hasRows(database: Database.Database, table: string): boolean {
  return (
    database.prepare(`SELECT 1 FROM main.${quotedName(table)} NOT INDEXED LIMIT 1`).get() !==
    undefined
  );
}

/** True where the tables make SQLite keep `sqlite_sequence`. */
export function usesAutoincrement(objects: SchemaObjects): boolean {
  return objects.tables.some(({ sql }) => /\bautoincrement\b/i.test(sql ?? ''));
}
