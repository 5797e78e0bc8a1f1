import type Database from 'better-sqlite3';
import { cannot, type HoldfastError, messageOf } from '../../kernel/errors.ts';
import { quoted } from './table-form.ts';
import type { HeaderColumn, TableHeader } from './table-header.ts';

/**
 * Definitions that come with a file are run only when they are what SQLite itself would have kept: one statement that
 * makes a table of that very name out of columns, or an index of it. SQLite keeps no other, so that no export has one.
 */

const TABLE = /^CREATE TABLE /;
const INDEX = /^CREATE (?:UNIQUE )?INDEX /;
const NAME = /"(?:[^"]|"")*"|`(?:[^`]|``)*`|'(?:[^']|'')*'|\[[^\]]*\]|[^\s"'`[\](),.;/-]+/y;
const BLANK = /(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*/y;
const SAFE_TYPE = /^[A-Za-z][\w ]*(?:\(\s*[0-9]+\s*(?:,\s*[0-9]+\s*)?\))?$/;

function refused(table: string, state: string, cause?: unknown): HoldfastError {
  return cannot('UNSUPPORTED_FORMAT', 'make table', table, state, {
    hint: 'Nothing was imported. Make the table yourself, and import into that database.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Only a list of columns stands in brackets right behind the name; a query would be run while the table is made. */
function isListOfColumns(sql: string): boolean {
  NAME.lastIndex = 'CREATE TABLE '.length;
  if (NAME.exec(sql) === null) return false;
  BLANK.lastIndex = NAME.lastIndex;
  BLANK.exec(sql);
  return sql[BLANK.lastIndex] === '(';
}

function runOne(database: Database.Database, table: string, sql: string): void {
  try {
    // Refuses a second statement.
    database.prepare(sql).run();
  } catch (error) {
    throw refused(table, messageOf(error), error);
  }
}

function objects(database: Database.Database): number {
  return database
    .prepare<[], number>(
      `SELECT (SELECT count(*) FROM main.sqlite_schema
               WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\') + (SELECT count(*) FROM temp.sqlite_schema)`,
    )
    .pluck()
    .get()!;
}

/** Runs a definition, and proves that it made this one object, kept word for word, and no other. */
function define(
  database: Database.Database,
  table: string,
  type: 'table' | 'index',
  sql: string,
): void {
  const before = objects(database);
  runOne(database, table, sql);
  const made = database
    .prepare<[string, string, string], string>(
      'SELECT name FROM main.sqlite_schema WHERE type = ? AND tbl_name = ? AND sql = ?',
    )
    .pluck()
    .get(type, table, sql);
  if (made === undefined || objects(database) !== before + 1) {
    throw refused(table, `a definition of it makes something else than its ${type}`);
  }
}

/** Of a table whose definition is not told, such as a virtual one: plain columns of these names. */
function definitionOf({ $table, $columns }: TableHeader): string {
  const columns = $columns.filter(({ rowid, generated }) => rowid !== true && !generated);
  const key = columns.filter(({ pk }) => pk > 0).sort((left, right) => left.pk - right.pk);
  const column = ({ name, declType, notnull }: HeaderColumn): string =>
    [quoted(name), SAFE_TYPE.test(declType) ? declType : '', notnull ? 'NOT NULL' : '']
      .filter((part) => part !== '')
      .join(' ');
  const primary = key.map(({ name }) => quoted(name)).join(', ');
  const parts = [...columns.map(column), ...(key.length > 0 ? [`PRIMARY KEY(${primary})`] : [])];
  return `CREATE TABLE ${quoted($table)}(${parts.join(', ')})`;
}

/** @throws UNSUPPORTED_FORMAT when the definition is anything else than that of this table */
export function makeTable(database: Database.Database, header: TableHeader): void {
  const { $table } = header;
  const sql = header.$sql ?? definitionOf(header);
  if (sql.includes('\0')) throw refused($table, 'its definition has a null character');
  if (!TABLE.test(sql) || !isListOfColumns(sql)) {
    throw refused($table, 'what should be its definition is something else');
  }
  define(database, $table, 'table', sql);
}

/** @throws UNSUPPORTED_FORMAT when a definition is anything else than that of an index of this table */
export function makeIndexes(database: Database.Database, { $table, $indexes }: TableHeader): void {
  for (const sql of $indexes) {
    if (sql.includes('\0') || !INDEX.test(sql)) {
      throw refused($table, 'what should be an index of it is something else');
    }
    define(database, $table, 'index', sql);
  }
}
