import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, HoldfastError, messageOf } from '../../kernel/errors.ts';
import type { TextEncoding } from '../../sqlite/header.ts';
import { type CellValue, RawText } from './cell-value.ts';
import { chooseTables } from './choose-tables.ts';
import type { TableCount } from './export-tables.ts';
import type { ParsedRow } from './parse-row.ts';
import { memberNames, readRows } from './read-rows.ts';
import { readTables, type TableSink } from './read-tables.ts';
import { RowProblem } from './row-problem.ts';
import type { TableHeader } from './table-header.ts';
import { encodingOf } from './text-encoding.ts';

/** Whether an export says what the database holds: each of its rows beside the row that is stored. */

export interface ProveTablesOptions {
  readonly databaseName: string;
  /** The table that bare rows are of. */
  readonly table?: string;
  readonly activity: Activity;
}

function isSame(left: CellValue, right: CellValue): boolean {
  if (left instanceof RawText) return right instanceof RawText && left.bytes.equals(right.bytes);
  if (Buffer.isBuffer(left)) return Buffer.isBuffer(right) && left.equals(right);
  return Object.is(left, right);
}

class ProvenTables implements TableSink {
  readonly counts: TableCount[] = [];
  readonly #database: Database.Database;
  readonly #options: ProveTablesOptions;
  readonly #encoding: TextEncoding;
  #table = '';
  #count = 0;
  /** How many values of a stored row are not in the row of the file. */
  #from = 0;
  #stored: Generator<CellValue[]> | null = null;

  constructor(database: Database.Database, options: ProveTablesOptions) {
    this.#database = database;
    this.#options = options;
    this.#encoding = encodingOf(database);
  }

  begin(header: TableHeader | null): void {
    const { databaseName, activity, table = '' } = this.#options;
    const tables = [header?.$table ?? table];
    const choice = { tables, plain: false, databaseName, activity };
    const form = chooseTables(this.#database, choice)[0]!;
    this.#table = form.name;
    this.#count = 0;
    this.#from = header === null ? memberNames(form).from : 0;
    this.#stored = readRows(this.#database, form, this.#encoding);
  }

  row({ values }: ParsedRow): void {
    const next = this.#stored!.next();
    const stored: readonly CellValue[] = next.done === true ? [] : next.value.slice(this.#from);
    const same = stored.length === values.length;
    if (!same || !stored.every((value, index) => isSame(value, values[index]!))) {
      throw new RowProblem(`it is not the row that "${this.#table}" has in its place`);
    }
    this.#count += 1;
  }

  end(): void {
    const rest = this.#stored!.next();
    this.close();
    if (rest.done !== true) throw new RowProblem(`rows of "${this.#table}" are missing`);
    this.counts.push({ table: this.#table, rows: this.#count });
  }

  /** A file without any line says that the table has no rows. */
  finish(): void {
    if (this.counts.length > 0 || this.#options.table === undefined) return;
    this.begin(null);
    this.end();
  }

  close(): void {
    this.#stored?.return(undefined);
    this.#stored = null;
  }
}

/**
 * Reads an export back, beside the database that it is of: in the transaction in which it was written, or on a copy that
 * nobody writes. Nothing is made of it, so that it also proves tables that only the application can make.
 * @returns how many rows each table of the file has, all of them equal to those stored, bit for bit
 * @throws VERIFY_FAILED
 */
export async function proveTables(
  input: AsyncIterable<Uint8Array>,
  database: Database.Database,
  options: ProveTablesOptions,
): Promise<readonly TableCount[]> {
  const { databaseName, activity } = options;
  const tables = new ProvenTables(database, options);
  try {
    await readTables(input, tables, { activity, lineBytesMax: Number.MAX_SAFE_INTEGER });
    tables.finish();
    return tables.counts;
  } catch (error) {
    activity.signal.throwIfAborted();
    if (!(error instanceof HoldfastError || error instanceof RowProblem)) throw error;
    const state = `what was written is not what is stored: ${messageOf(error)}`;
    throw cannot('VERIFY_FAILED', 'prove the export of', databaseName, state, {
      hint: 'Export the database as a file instead.',
      cause: error,
    });
  } finally {
    tables.close();
  }
}
