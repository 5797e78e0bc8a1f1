import type Database from 'better-sqlite3';
import { messageOf, systemCode } from '../../kernel/errors.ts';
import type { TextEncoding } from '../../sqlite/header.ts';
import { type CellValue, RawText } from './cell-value.ts';
import type { ParsedRow } from './parse-row.ts';
import { RowProblem } from './row-problem.ts';
import type { ImportMode, Shape } from './row-statements.ts';
import { type RowOutcome, RowWriter } from './row-writer.ts';
import type { TableForm } from './table-form.ts';
import type { TableHeader } from './table-header.ts';

/** What became of one table. */
export interface TableImport {
  readonly table: string;
  /** Rows in the file. */
  readonly read: number;
  readonly inserted: number;
  readonly updated: number;
  readonly ignored: number;
  /** Of the file, and not of the table: what they held was left out. The first hundred. */
  readonly unknownColumns: readonly string[];
}

const UNKNOWN_COLUMNS_MAX = 100;

export interface RowsOfTable {
  readonly form: TableForm;
  /** Null where rows have to say themselves what their values are. */
  readonly header: TableHeader | null;
  readonly encoding: TextEncoding;
  readonly mode: ImportMode;
  /** Unknown columns are an error. */
  readonly strict: boolean;
}

/** The rows of one table on their way in. */
export class RowsImport {
  readonly #table: RowsOfTable;
  readonly #writer: RowWriter;
  /** Of rows that are arrays. */
  readonly #shape: Shape | null;
  readonly #columns: number;
  readonly #counts: Record<RowOutcome, number> = { inserted: 0, updated: 0, ignored: 0 };
  readonly #unknown = new Set<string>();

  /** @throws RowProblem when the header has an unknown column and that is an error */
  constructor(database: Database.Database, table: RowsOfTable) {
    this.#table = table;
    const { form, header, mode, encoding, strict } = table;
    const onUnknown = (column: string): void => {
      if (strict) throw new RowProblem(`the table "${form.name}" has no column "${column}"`);
      if (this.#unknown.size < UNKNOWN_COLUMNS_MAX) this.#unknown.add(column);
    };
    this.#writer = new RowWriter(database, form, { mode, encoding, onUnknown });
    const columns = header?.$columns.filter(({ generated }) => !generated) ?? [];
    const rowid = columns.findIndex((column) => column.rowid === true);
    const names = columns.map(({ name }) => name);
    this.#columns = names.length;
    this.#shape = header === null ? null : this.#writer.shape(names, rowid === -1 ? null : rowid);
  }

  /** @throws RowProblem when it does not fit; what SQLite throws when the table does not take it */
  add({ names, values }: ParsedRow): void {
    const shape = names === null ? this.#arrayShape(values.length) : this.#writer.shape(names);
    this.#refuseForeignText(values);
    this.#counts[this.#writer.write(shape, values)] += 1;
  }

  outcome(): TableImport {
    const { inserted, updated, ignored } = this.#counts;
    return {
      table: this.#table.form.name,
      read: inserted + updated + ignored,
      inserted,
      updated,
      ignored,
      unknownColumns: [...this.#unknown],
    };
  }

  #arrayShape(values: number): Shape {
    if (this.#shape === null) throw new RowProblem('an array needs a header before it');
    if (values !== this.#columns) {
      throw new RowProblem(`it has ${values} values, and its header ${this.#columns} columns`);
    }
    return this.#shape;
  }

  /** The bytes of what is no text mean nothing in another encoding. */
  #refuseForeignText(values: readonly CellValue[]): void {
    const from = this.#table.header?.$encoding ?? 'UTF-8';
    if (from === this.#table.encoding) return;
    if (values.some((value) => value instanceof RawText)) {
      throw new RowProblem(`bytes of ${from} text cannot be kept as ${this.#table.encoding}`);
    }
  }
}

/** What a table refuses is about the row; a full disk or a lock is not. */
export function asRowProblem(error: unknown): unknown {
  const code = systemCode(error);
  const isRefusal = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|ERROR)/.test(code ?? '');
  return isRefusal ? new RowProblem(messageOf(error), { cause: error }) : error;
}
