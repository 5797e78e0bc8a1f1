import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { readingError } from './reading-error.ts';
import { folded, listTables, readTableForm, type TableForm, type TableName } from './table-form.ts';

/** What an export is asked for, as tables that are there. */
export interface TableChoice {
  readonly tables: readonly string[] | null;
  readonly plain: boolean;
  readonly databaseName: string;
  readonly required?: boolean;
  readonly activity: Activity;
}

const NO_ROWS: Partial<Record<TableName['kind'], string>> = {
  view: 'it is a view, which is never run here',
  shadow: 'it is a part of a virtual table: name that one',
};

/** Refuses what has no rows of its own. */
export function requireRows(verb: string, { name, kind }: TableName): void {
  const reason = NO_ROWS[kind];
  if (reason !== undefined) throw cannot('INVALID_PARAMS', verb, name, reason);
}

function named(known: readonly TableName[], wanted: readonly string[], choice: TableChoice) {
  const byName = new Map(known.map((table) => [folded(table.name), table]));
  const chosen = new Map<string, TableName>();
  for (const name of wanted) {
    const table = byName.get(folded(name));
    if (table === undefined) {
      const state = `"${choice.databaseName}" has no table of this name`;
      const missing = cannot('NOT_FOUND', 'export table', name, state);
      if (choice.required !== false) throw missing;
      choice.activity.warn(missing.message);
      continue;
    }
    requireRows('export table', table);
    chosen.set(table.name, table);
  }
  return [...chosen.values()];
}

/** The tables to export, in order. @throws NOT_FOUND, INVALID_PARAMS */
export function chooseTables(database: Database.Database, choice: TableChoice): TableForm[] {
  const known = listTables(database);
  const tables =
    choice.tables === null
      ? known.filter(({ kind }) => kind === 'table')
      : named(known, choice.tables, choice);
  const missingOnly = tables.length === 0 && choice.required === false;
  if (choice.plain && tables.length !== 1 && !missingOnly) {
    throw cannot(
      'INVALID_PARAMS',
      'export tables of',
      choice.databaseName,
      `bare rows are of one table, not of ${tables.length}`,
      { hint: 'Name one table, or export with headers.' },
    );
  }
  return tables.map((table) => {
    try {
      return readTableForm(database, table);
    } catch (error) {
      throw readingError(table.name, error);
    }
  });
}
