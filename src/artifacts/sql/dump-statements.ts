import type Database from 'better-sqlite3';
import type { DatabasePragmas, TextEncoding } from './database-pragmas.ts';
import { DUMP_HEADER, dumpFooter } from './dump-marks.ts';
import { needsMissingDefinition } from './missing-definitions.ts';
import { quotedName } from './quoted-name.ts';
import { rowLiterals } from './row-literals.ts';
import {
  hasRows,
  readSchemaObjects,
  type SchemaObject,
  type SchemaObjects,
  SEQUENCE_TABLE,
  usesAutoincrement,
} from './schema-objects.ts';
import { readTableLayout, type TableLayout } from './table-layout.ts';
import { quotedText } from './text-literal.ts';

interface Counts {
  tables: number;
  rows: number;
}

/**
 * The statements of a dump: rows before the indexes, and before the triggers, which must not see them; virtual tables
 * as rows of the schema, so that their content comes back as it was and no module has to run.
 */
export function* dumpStatements(
  database: Database.Database,
  pragmas: DatabasePragmas,
  counts: Counts,
  onTable: (name: string) => void,
): Generator<string> {
  const objects = readSchemaObjects(database);
  yield* opening(pragmas);
  for (const table of objects.tables) {
    onTable(table.name);
    counts.tables += 1;
    yield statement(table.sql!);
    counts.rows += yield* insertRows(database, table.name, pragmas.encoding);
  }
  yield* reservedTables(database, objects, pragmas.encoding);
  const [foreign, usual] = partition(objects.indexes, (index) =>
    needsMissingDefinition(database, index),
  );
  for (const { sql } of [...usual, ...objects.views, ...objects.triggers]) yield statement(sql!);
  if (foreign.length > 0) yield '-- These need a collation or function of the application:\n';
  for (const { sql } of foreign) yield statement(sql!);
  yield 'COMMIT;\nPRAGMA ignore_check_constraints=OFF;\n';
  yield dumpFooter(counts);
}

function* opening(pragmas: DatabasePragmas): Generator<string> {
  yield `${DUMP_HEADER}
PRAGMA page_size=${pragmas.pageBytes};
PRAGMA encoding='${pragmas.encoding}';
PRAGMA auto_vacuum=${pragmas.autoVacuum};
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN TRANSACTION;
PRAGMA user_version=${pragmas.userVersion};
PRAGMA application_id=${pragmas.applicationId};
`;
}

/** Text may end with a comment, which would take the semicolon in. */
function statement(sql: string): string {
  return sql.includes('--') ? `${sql}\n;\n` : `${sql};\n`;
}

function* reservedTables(
  database: Database.Database,
  objects: SchemaObjects,
  encoding: TextEncoding,
): Generator<string> {
  const [ordinary, others] = partition(
    objects.statistics.filter(({ name }) => hasRows(database, name)),
    ({ name }) => name === 'sqlite_stat1',
  );
  const lost =
    objects.sequence !== null && !usesAutoincrement(objects) && hasRows(database, SEQUENCE_TABLE);
  const made = [...others, ...(lost ? [objects.sequence] : [])] as SchemaObject[];
  if (made.length + objects.virtualTables.length > 0) {
    yield 'PRAGMA writable_schema=ON;\n';
    for (const { sql } of made) yield statement(sql!.replace(/^CREATE TABLE/, '$& IF NOT EXISTS'));
    for (const table of objects.virtualTables) yield schemaRow(table);
    yield 'PRAGMA writable_schema=OFF;\n';
  }
  if (ordinary.length > 0) yield 'ANALYZE sqlite_master;\n';
  for (const { name } of [...ordinary, ...others]) yield* insertRows(database, name, encoding);
  if (objects.sequence !== null && (lost || usesAutoincrement(objects))) {
    yield `DELETE FROM ${SEQUENCE_TABLE};\n`;
    yield* insertRows(database, SEQUENCE_TABLE, encoding);
  }
}

function schemaRow({ name, tableName, sql }: SchemaObject): string {
  const values = ["'table'", quotedText(name), quotedText(tableName), '0', quotedText(sql!)];
  return `INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) VALUES(${values.join(',')});\n`;
}

/** Returns how many rows there were. */
function* insertRows(
  database: Database.Database,
  name: string,
  encoding: TextEncoding,
): Generator<string, number> {
  const table = readTableLayout(database, name);
  const carriesRowid = table.rowidName !== null && table.rowidColumn === null;
  if (!table.withoutRowid && table.rowidName === null) {
    yield '-- The rowids of the next table are not told: its columns took all names for them.\n';
  }
  const head = insertHead(table, carriesRowid);
  let rows = 0;
  for (const batch of rowLiterals(database, table, { carriesRowid, encoding })) {
    rows += batch.rows;
    yield `${head}${batch.text};\n`;
  }
  return rows;
}

function insertHead(table: TableLayout, carriesRowid: boolean): string {
  const name = quotedName(table.name);
  if (!carriesRowid && !table.hasGenerated) return `INSERT INTO ${name} VALUES\n`;
  const columns = table.columns.map(quotedName);
  if (carriesRowid) columns.unshift(table.rowidName!);
  return `INSERT INTO ${name}(${columns.join(',')}) VALUES\n`;
}

function partition<T>(items: readonly T[], first: (item: T) => boolean): [T[], T[]] {
  return [items.filter(first), items.filter((item) => !first(item))];
}
