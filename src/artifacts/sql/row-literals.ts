import type Database from 'better-sqlite3';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { concatenated } from './concatenated.ts';
import type { TextEncoding } from './database-pragmas.ts';
import { quotedName } from './quoted-name.ts';
import type { TableLayout } from './table-layout.ts';
import { textLiteral } from './text-literal.ts';

/** The literals of a row, longer than which no statement is written: twice this is more than SQLite reads. */
export const ROW_TEXT_MAX = 256 * 1024 * 1024;
/** Values longer than this are not put together by SQLite, which would hold them several times. */
const SHORT_VALUE_BYTES_MAX = 64 * 1024;
/** Rows share a statement up to about this length: fewer to prepare, and none that is hard to read. */
const BATCH_CHARACTERS = 32 * 1024;
/** As literals of the statement: SQLite plans anew for every LIMIT that is bound. */
const BATCH_ROWS = [1, 4, 16, 64, 256];
const [ROWID_MIN, ROWID_MAX] = [-(2n ** 63n), 2n ** 63n - 1n];
const BETWEEN_ROWS = '),\n(';

/** Rows as they stand after VALUES: `(…),(…)`. */
export interface RowBatch {
  readonly text: string;
  readonly rows: number;
}

export interface RowOptions {
  /** The first value of each row is its rowid. */
  readonly carriesRowid: boolean;
  readonly encoding: TextEncoding;
}

/** The rows of a table in the order in which they are stored. */
export function* rowLiterals(
  database: Database.Database,
  table: TableLayout,
  options: RowOptions,
): Generator<RowBatch> {
  try {
    if (table.rowidName === null || options.encoding !== 'UTF-8') {
      const rows = database.prepare<[], unknown[]>(exactSelect(table, options));
      yield* exactBatches(rows.raw().iterate(), options);
    } else {
      yield* quickBatches(database, table, options);
    }
  } catch (error) {
    throw rowError(table, error);
  }
}

type QuickBatch = [text: string | null, last: bigint | null, rows: bigint];

/** SQLite writes many rows at once; a batch that it cannot write exactly is read again. */
function* quickBatches(
  database: Database.Database,
  table: TableLayout,
  options: RowOptions,
): Generator<RowBatch> {
  const statements: Database.Statement<[bigint], QuickBatch>[] = [];
  const batches = (size: number): Database.Statement<[bigint], QuickBatch> =>
    (statements[size] ??= database
      .prepare<[bigint], QuickBatch>(quickSelect(table, options, BATCH_ROWS[size]!))
      .raw()
      .safeIntegers());
  const rowid = rowidExpression(table);
  const exact = database
    .prepare<[bigint, bigint], unknown[]>(
      `${exactSelect(table, options)} WHERE ${rowid} BETWEEN ? AND ? ORDER BY ${rowid}`,
    )
    .raw();
  let first = ROWID_MIN;
  let size = 0;
  for (;;) {
    const [text, last, rows] = batches(size).get(first)!;
    if (text === null || last === null) return;
    if (isExact(text)) yield { text: `(${text})`, rows: Number(rows) };
    else yield* exactBatches(exact.iterate(first, last), options);
    if (last === ROWID_MAX) return;
    first = last + 1n;
    const fitting = (Number(rows) * BATCH_CHARACTERS) / text.length;
    size = Math.min(size + 1, BATCH_ROWS.length - 1);
    while (size > 0 && BATCH_ROWS[size]! > fitting) size -= 1;
  }
}

/** What the driver could not decode became U+FFFD; a long value is a NUL; a carriage return needs care. */
function isExact(text: string): boolean {
  return !(text.includes('\0') || text.includes('\r') || text.includes('\ufffd'));
}

function* exactBatches(
  found: Iterable<readonly unknown[]>,
  options: RowOptions,
): Generator<RowBatch> {
  let text = '';
  let rows = 0;
  for (const row of found) {
    const literals = exactLiterals(row, options.encoding);
    text += rows === 0 ? `(${literals}` : `${BETWEEN_ROWS}${literals}`;
    rows += 1;
    if (text.length < BATCH_CHARACTERS) continue;
    yield { text: `${text})`, rows };
    text = '';
    rows = 0;
  }
  if (rows > 0) yield { text: `${text})`, rows };
}

function quickSelect(table: TableLayout, { carriesRowid }: RowOptions, rows: number): string {
  const rowid = rowidExpression(table);
  const values = table.columns.map((column) => quickLiteral(column));
  const line = concatenated(carriesRowid ? [rowid, ...values] : values);
  return `SELECT group_concat(line, '${BETWEEN_ROWS}'), max(place), count(*) FROM (
    SELECT ${line} AS line, ${rowid} AS place FROM ${source(table)}
    WHERE ${rowid} >= ? ORDER BY 2 LIMIT ${rows})`;
}

function source(table: TableLayout): string {
  return `main.${quotedName(table.name)} NOT INDEXED`;
}

function rowidExpression(table: TableLayout): string {
  return table.rowidColumn === null ? table.rowidName! : quotedName(table.rowidColumn);
}

/** `quote` would cut text at a NUL. */
function quickLiteral(column: string): string {
  const name = quotedName(column);
  const short = (literal: string): string =>
    `iif(octet_length(${name}) <= ${SHORT_VALUE_BYTES_MAX}, ${literal}, char(0))`;
  return `CASE typeof(${name})
    WHEN 'text' THEN ${short(`concat('''', replace(${name}, '''', ''''''), '''')`)}
    WHEN 'blob' THEN ${short(`quote(${name})`)}
    ELSE quote(${name}) END`;
}

/** A string is a literal already, bytes are text as it is stored. */
function exactSelect(table: TableLayout, { carriesRowid }: RowOptions): string {
  const values = table.columns
    .map(quotedName)
    .map(
      (name) =>
        `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE quote(${name}) END`,
    );
  const all = carriesRowid ? [`quote(${rowidExpression(table)})`, ...values] : values;
  return `SELECT ${all.join(', ')} FROM ${source(table)}`;
}

function exactLiterals(row: readonly unknown[], encoding: TextEncoding): string {
  const literals = row.map((value) =>
    Buffer.isBuffer(value) ? textLiteral(value, encoding) : String(value),
  );
  const length = literals.reduce((sum, literal) => sum + literal.length + 1, 0);
  if (length > ROW_TEXT_MAX) throw new RangeError('Row too long');
  return literals.join(',');
}

function rowError(table: TableLayout, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof RangeError || code === 'SQLITE_TOOBIG' || code === 'ERR_STRING_TOO_LONG') {
    return cannot(
      'LIMIT_EXCEEDED',
      'write as SQL',
      table.name,
      'a row is longer than a statement',
      {
        hint: 'Export the database as a file (format "db").',
        cause: error,
      },
    );
  }
  if (code === 'SQLITE_ERROR_MISSING_COLLSEQ') {
    return cannot('UNSUPPORTED_FORMAT', 'write as SQL', table.name, messageOf(error), {
      hint: 'The rows are ordered by a collation of the application. Export the database as a file (format "db").',
      cause: error,
    });
  }
  return error;
}
