import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import type { TextEncoding } from '../../sqlite/header.ts';
import { requireRows } from './choose-tables.ts';
import { ForeignKeys } from './foreign-keys.ts';
import { inOneTransaction } from './import-transaction.ts';
import type { ParsedRow } from './parse-row.ts';
import { PausedTriggers } from './paused-triggers.ts';
import { readTables, type TableSink } from './read-tables.ts';
import { rebuildSearch } from './rebuild-search.ts';
import { RowProblem } from './row-problem.ts';
import type { ImportMode } from './row-statements.ts';
import { findTable, folded, quoted, readTableForm, type TableForm } from './table-form.ts';
import { raiseSequence, type TableHeader } from './table-header.ts';
import { asRowProblem, RowsImport, type TableImport } from './table-import.ts';
import { encodingOf } from './text-encoding.ts';

/** Tables as lines of JSON, into tables that are there. */

export { importNewDatabase } from './import-new-database.ts';
export type { ImportMode } from './row-statements.ts';
export type { TableImport } from './table-import.ts';

export interface ImportTablesOptions {
  readonly mode: ImportMode;
  /** Where rows without a header go. Of a file with headers: the only table that is imported of it. */
  readonly table?: string;
  /** Columns that the table does not have are an error instead of being left out. */
  readonly strict?: boolean;
  readonly lineBytesMax?: number;
  /** True: the triggers of the tables run as they do for any other writer. */
  readonly triggers?: boolean;
  readonly activity: Activity;
}

class LiveTables implements TableSink {
  readonly results: TableImport[] = [];
  readonly #database: Database.Database;
  readonly #options: ImportTablesOptions;
  readonly #encoding: TextEncoding;
  readonly #foreignKeys: ForeignKeys;
  readonly #triggers: PausedTriggers;
  #skipped = false;
  #rows: RowsImport | null = null;
  readonly #done = new Set<string>();

  constructor(database: Database.Database, options: ImportTablesOptions) {
    this.#database = database;
    this.#options = options;
    this.#encoding = encodingOf(database);
    this.#foreignKeys = new ForeignKeys(database);
    this.#triggers = new PausedTriggers(database);
  }

  begin(header: TableHeader | null): void {
    const { table: chosen, mode, strict = false } = this.#options;
    const name = header?.$table ?? chosen;
    if (name === undefined) {
      throw cannot('INVALID_PARAMS', 'import', 'rows without a header', 'no table is named', {
        hint: 'Name the table that they belong to.',
      });
    }
    this.#skipped ||= chosen !== undefined && folded(name) !== folded(chosen);
    if (chosen !== undefined && folded(name) !== folded(chosen)) return;
    const form = this.#formOf(name);
    this.#prepare(form);
    const encoding = this.#encoding;
    this.#rows = new RowsImport(this.#database, { form, header, encoding, mode, strict });
    const sequence = header?.$sequence ?? null;
    if (sequence !== null && form.autoincrement) {
      raiseSequence(this.#database, form.name, BigInt(sequence));
    }
  }

  row(row: ParsedRow): void {
    try {
      this.#rows?.add(row);
    } catch (error) {
      throw asRowProblem(error);
    }
  }

  end(): void {
    if (this.#rows !== null) this.results.push(this.#rows.outcome());
    this.#rows = null;
  }

  /** Once all rows are in. */
  finish(): void {
    if (this.#done.size === 0) this.#requireSense();
    this.#triggers.resume();
    const { triggers, activity } = this.#options;
    if (triggers !== true) rebuildSearch(this.#database, this.#done, activity);
    this.#foreignKeys.requireNoneWorse();
  }

  /** Nothing was imported: right where there was nothing to import. */
  #requireSense(): void {
    const { table, mode } = this.#options;
    if (table !== undefined) this.#formOf(table);
    if (table !== undefined && this.#skipped) {
      throw cannot('NOT_FOUND', 'import table', table, 'the file has no such table');
    }
    if (mode === 'replace') {
      throw cannot('INVALID_PARAMS', 'replace', table ?? 'tables', 'the file is empty', {
        hint: 'Only a header says that a table has no rows. Export it with headers.',
      });
    }
  }

  #formOf(name: string): TableForm {
    const table = findTable(this.#database, name);
    if (table === null) throw noTable(name);
    requireRows('import into table', table);
    return readTableForm(this.#database, table);
  }

  #prepare(form: TableForm): void {
    const { mode, triggers = false } = this.#options;
    const { name, kind } = form;
    if (this.#done.has(name)) throw new RowProblem(`the table "${name}" comes a second time`);
    if (kind === 'virtual' && mode !== 'replace') {
      throw cannot(
        'INVALID_PARAMS',
        'import into table',
        name,
        `it is virtual, and knows no ${mode}`,
        {
          hint: 'Import it with the mode replace.',
        },
      );
    }
    this.#done.add(name);
    this.#foreignKeys.remember(name);
    if (!triggers) this.#triggers.pause(name);
    if (mode === 'replace') this.#database.exec(`DELETE FROM main.${quoted(name)}`);
  }
}

const noTable = (name: string): Error =>
  cannot('NOT_FOUND', 'import into table', name, 'the database has no such table', {
    hint: 'Make a new database of the file, or import it into the database that it is of.',
  });

/**
 * Imports tables into an open connection that may write, all of them in one transaction: nothing is there until
 * everything is. Triggers do not run unless asked for; full-text tables that index an imported one are built anew.
 * Row ids of tables with a primary key are kept where they are free.
 * @throws UNSUPPORTED_FORMAT naming the line that is no row, or that its table refuses; VERIFY_FAILED for what a footer
 * or foreign keys say; NOT_FOUND for a table that is not there; INVALID_PARAMS; LIMIT_EXCEEDED
 */
export async function importTables(
  input: AsyncIterable<Uint8Array>,
  database: Database.Database,
  options: ImportTablesOptions,
): Promise<readonly TableImport[]> {
  return inOneTransaction(database, async () => {
    const tables = new LiveTables(database, options);
    await readTables(input, tables, options);
    tables.finish();
    return tables.results;
  });
}
