import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import type { TextEncoding } from '../../sqlite/header.ts';
import { type CellValue, valueAsJson } from './cell-value.ts';
import { chooseTables } from './choose-tables.ts';
import { memberNames, readRows } from './read-rows.ts';
import { readingError } from './reading-error.ts';
import type { TableForm } from './table-form.ts';
import { describeTable } from './table-header.ts';
import { encodingOf } from './text-encoding.ts';

/** Tables as lines of JSON: for other programs, for people, and to be imported again without loss. */

export interface TableCount {
  readonly table: string;
  readonly rows: number;
}

export interface ExportTablesOptions {
  /** By name, in this order; null: all that are no part of SQLite itself or of a virtual table, by name. */
  readonly tables: readonly string[] | null;
  /** One bare object a row, without header and footer; then exactly one table. */
  readonly plain: boolean;
  readonly databaseName: string;
  /** False: a listed table that is not there is a warning instead of an error. */
  readonly required?: boolean;
  /** What names the moment, for the headers: such as a snapshot's id. */
  readonly snapshotTxn?: string;
  readonly activity: Activity;
}

const PIECE_CHARACTERS = 64 * 1024;

/** Collects lines until they are worth handing on. */
class Pieces {
  readonly hash: Hash = createHash('sha256');
  #text = '';

  get isFull(): boolean {
    return this.#text.length >= PIECE_CHARACTERS;
  }

  add(line: string): void {
    this.#text += line;
  }

  /** What was collected; it counts towards the hash. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    this.hash.update(text);
    return text;
  }
}

type RowWriter = (values: readonly CellValue[]) => string;

const asArray: RowWriter = (values) => {
  let line = '[';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) line += ',';
    line += valueAsJson(values[index]!);
  }
  return `${line}]\n`;
};

function asObject(form: TableForm): RowWriter {
  const { names, from } = memberNames(form);
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  return (values) => {
    const members = keys.map((key, index) => key + valueAsJson(values[index + from]!));
    return `{${members.join(',')}}\n`;
  };
}

async function* exportTable(
  database: Database.Database,
  form: TableForm,
  options: ExportTablesOptions,
  encoding: TextEncoding,
): AsyncGenerator<string, number> {
  const { plain, databaseName, snapshotTxn = null } = options;
  const pieces = new Pieces();
  const write = plain ? asObject(form) : asArray;
  let rows = 0;
  try {
    if (!plain) {
      const header = describeTable(database, form, { databaseName, snapshotTxn, encoding });
      pieces.add(`${JSON.stringify(header)}\n`);
    }
    for (const values of readRows(database, form, encoding)) {
      pieces.add(write(values));
      rows += 1;
      if (!pieces.isFull) continue;
      yield pieces.take();
      await setImmediate();
      options.activity.signal.throwIfAborted();
    }
  } catch (error) {
    options.activity.signal.throwIfAborted();
    throw readingError(form.name, error);
  }
  const last = pieces.take();
  const footer = { $rows: rows, $sha256: pieces.hash.digest('hex') };
  const text = plain ? last : `${last}${JSON.stringify(footer)}\n`;
  if (text !== '') yield text;
  return rows;
}

async function* exportChosen(
  database: Database.Database,
  options: ExportTablesOptions,
): AsyncGenerator<string, readonly TableCount[]> {
  const { activity } = options;
  const forms = chooseTables(database, options);
  const encoding = encodingOf(database);
  const counts: TableCount[] = [];
  let bytesDone = 0;
  for (const form of forms) {
    activity.signal.throwIfAborted();
    const filesDone = counts.length;
    const totalFiles = forms.length;
    const phase = 'export tables';
    activity.progress({ phase, currentFile: form.name, filesDone, totalFiles });
    const table = exportTable(database, form, options, encoding);
    try {
      let next = await table.next();
      for (; next.done !== true; next = await table.next()) {
        yield next.value;
        bytesDone += Buffer.byteLength(next.value);
        activity.progress({ bytesDone });
      }
      counts.push({ table: form.name, rows: next.value });
    } finally {
      await table.return(0);
    }
  }
  activity.progress({ filesDone: counts.length });
  return counts;
}

/**
 * JSONL text in pieces of about 64 KiB, one table after another, each header, rows, footer. All in one read
 * transaction: the one that the connection is in, or one of its own. Rows come in the order of their row ids or primary
 * keys. Virtual tables only where they are named; views and triggers never run.
 * @returns how many rows each table has
 * @throws NOT_FOUND for a listed table that is not there; INVALID_PARAMS for what is no table, and for `plain` with
 * other than one table; UNSUPPORTED_FORMAT where rows cannot be read without the application; SOURCE_CORRUPT;
 * LIMIT_EXCEEDED for a row larger than a string can be
 */
export async function* exportTables(
  database: Database.Database,
  options: ExportTablesOptions,
): AsyncGenerator<string, readonly TableCount[]> {
  database.pragma('trusted_schema = OFF');
  const own = !database.inTransaction;
  if (own) database.exec('BEGIN');
  try {
    return yield* exportChosen(database, options);
  } finally {
    // Nothing was written; and a commit would look at a damaged file once more.
    if (own && database.inTransaction) database.exec('ROLLBACK');
  }
}
