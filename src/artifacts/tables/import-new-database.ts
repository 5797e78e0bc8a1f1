import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { removeDurably, syncDirectory, syncFile } from '../../files/durable.ts';
import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { checkConnection } from '../../sqlite/database-check.ts';
import { asGrowthError, roomFor } from './growth-limit.ts';
import type { ParsedRow } from './parse-row.ts';
import { readTables, type TableSink } from './read-tables.ts';
import { RowProblem } from './row-problem.ts';
import { makeIndexes, makeTable } from './table-definition.ts';
import { findTable, folded, readTableForm } from './table-form.ts';
import { raiseSequence, type TableHeader } from './table-header.ts';
import { asRowProblem, RowsImport, type TableImport } from './table-import.ts';
import { encodingOf } from './text-encoding.ts';

/** Tables as lines of JSON, made anew as their headers describe them. */

export interface ImportNewOptions {
  readonly lineBytesMax?: number;
  readonly activity: Activity;
}

class NewTables implements TableSink {
  readonly results: TableImport[] = [];
  readonly #database: Database.Database;
  readonly #headers: TableHeader[] = [];
  #rows: RowsImport | null = null;
  #counted = false;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  begin(header: TableHeader | null): void {
    if (header === null) {
      throw cannot(
        'INVALID_PARAMS',
        'make a database of',
        'rows without a header',
        'nothing says of what table they are',
        {
          hint: 'Import them into a table that is there, or export them with headers.',
        },
      );
    }
    if (this.#headers.length === 0) {
      // It can only be said while a database is empty.
      this.#database.pragma(`encoding = '${header.$encoding}'`);
      this.#database.exec('BEGIN');
    }
    makeTable(this.#database, header);
    const made = findTable(this.#database, header.$table)!;
    const form = readTableForm(this.#database, made);
    const encoding = encodingOf(this.#database);
    const options = { form, header, encoding, mode: 'replace', strict: true } as const;
    this.#rows = new RowsImport(this.#database, options);
    const names = new Set(form.columns.map(({ name }) => folded(name)));
    const described = header.$columns.filter(({ rowid }) => rowid !== true).length;
    if (described !== names.size) {
      throw new RowProblem(`its header has other columns than the definition of "${form.name}"`);
    }
    this.#headers.push(header);
    this.#counted = form.autoincrement;
  }

  row(row: ParsedRow): void {
    try {
      this.#rows!.add(row);
    } catch (error) {
      throw asRowProblem(error);
    }
  }

  end(): void {
    const { $table, $sequence } = this.#headers.at(-1)!;
    if ($sequence !== null && this.#counted)
      raiseSequence(this.#database, $table, BigInt($sequence));
    this.results.push(this.#rows!.outcome());
    this.#rows = null;
  }

  /** Indexes are made of rows that are there: that is faster, and refuses what they do not allow all the same. */
  finish(activity: Activity): void {
    for (const header of this.#headers) {
      activity.signal.throwIfAborted();
      activity.progress({ phase: 'make indexes', currentFile: header.$table });
      makeIndexes(this.#database, header);
    }
    const [first] = this.#headers;
    if (first === undefined) {
      throw cannot('UNSUPPORTED_FORMAT', 'make a database of', 'the file', 'it has no table');
    }
    this.#database.pragma(`user_version = ${first.$userVersion}`);
    this.#database.pragma(`application_id = ${first.$applicationId}`);
    this.#database.exec('COMMIT');
  }
}

/** An empty file of its owner's, and the database that is to be in it. */
async function fillNew(
  input: AsyncIterable<Uint8Array>,
  path: string,
  options: ImportNewOptions,
): Promise<readonly TableImport[]> {
  const database = new Database(path, { fileMustExist: true });
  try {
    // Nobody sees the file before it is whole, and on failure nothing of it stays.
    database.pragma('journal_mode = OFF');
    database.pragma('synchronous = OFF');
    database.pragma('foreign_keys = OFF');
    database.pragma('trusted_schema = OFF');
    const tables = new NewTables(database);
    await readTables(roomFor(input, database), tables, options);
    tables.finish(options.activity);
    options.activity.signal.throwIfAborted();
    options.activity.progress({ phase: 'check' });
    const { ok, messages } = checkConnection(database, 'full');
    if (ok) return tables.results;
    throw cannot('VERIFY_FAILED', 'make a database of', 'the file', messages[0]!);
  } catch (error) {
    throw await asGrowthError(database, path, error);
  } finally {
    database.close();
  }
}

async function syncNew(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
}

/**
 * Makes a database at `path`, which must not exist (0600), out of the tables that the headers of a file describe, with
 * their indexes; triggers and views are never part of such a file. When it returns, the database was checked and is
 * durable; on failure nothing of it stays. Rows that refer to rows that are not there are imported as they are.
 * @throws EEXIST; UNSUPPORTED_FORMAT for lines that are no rows, and definitions that are not of their tables;
 * VERIFY_FAILED for what a footer says; LIMIT_EXCEEDED for long lines, and for definitions that make much of little
 */
export async function importNewDatabase(
  input: AsyncIterable<Uint8Array>,
  path: string,
  options: ImportNewOptions,
): Promise<readonly TableImport[]> {
  await (await open(path, 'wx', 0o600)).close();
  try {
    const results = await fillNew(input, path, options);
    await syncNew(path);
    return results;
  } catch (error) {
    await removeDurably(path);
    throw error;
  }
}
