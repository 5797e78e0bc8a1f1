import { constants, isUtf8 } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, type HoldfastError, messageOf } from '../../kernel/errors.ts';
import { parseFooter, parseHeader } from './parse-header.ts';
import { type ParsedRow, parseRow } from './parse-row.ts';
import { LINE_BYTES_MAX, type Line, readLines } from './read-lines.ts';
import { RowProblem } from './row-problem.ts';
import type { TableFooter, TableHeader } from './table-header.ts';

/** JSONL as what it says: tables that begin, rows, tables that end as their footers promise. */

/** Where tables go. What it throws as RowProblem is told of the line that it was about. */
export interface TableSink {
  /** @param header null for rows without one */
  begin(header: TableHeader | null): void;
  row(row: ParsedRow): void;
  end(): void;
}

export interface ReadTablesOptions {
  readonly lineBytesMax?: number;
  readonly activity: Activity;
}

/** An error about one line of the file: it is no row, or a row that its table refuses. */
function lineError(line: number, problem: RowProblem): HoldfastError {
  const refused = problem.cause !== undefined;
  return cannot(
    refused ? 'VERIFY_FAILED' : 'UNSUPPORTED_FORMAT',
    'import',
    `line ${line}`,
    messageOf(problem),
    {
      hint: 'Nothing was imported. Correct the file, or export it again.',
      details: { line },
      cause: problem,
    },
  );
}

interface OpenTable {
  readonly header: TableHeader;
  readonly hash: Hash;
  rows: number;
}

class TableReader {
  readonly #sink: TableSink;
  /** Between a header and its footer. */
  #open: OpenTable | null = null;
  /** Rows without a header came first: they go on to the end of the file. */
  #bare = false;

  constructor(sink: TableSink) {
    this.#sink = sink;
  }

  line({ bytes, number }: Line): void {
    try {
      if (bytes.length > constants.MAX_STRING_LENGTH) throw new RowProblem('it is too long');
      if (!isUtf8(bytes)) throw new RowProblem('it is not UTF-8');
      const text = bytes.toString('utf8');
      if (text.trim() !== '') this.#text(text, bytes);
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      throw lineError(number, error);
    }
  }

  /** @throws VERIFY_FAILED when the last table has no footer */
  finish(): void {
    if (this.#open !== null) throw footerError(this.#open, 'the file ends before its footer');
    if (this.#bare) this.#sink.end();
  }

  #text(text: string, bytes: Buffer): void {
    const header = parseHeader(text);
    const footer = header !== null || this.#open === null ? null : parseFooter(text);
    if (header !== null) this.#begin(header, bytes);
    else if (footer !== null) this.#end(footer);
    else this.#row(parseRow(text), bytes);
  }

  #begin(header: TableHeader, bytes: Buffer): void {
    if (this.#open !== null) throw footerError(this.#open, 'another begins before its footer');
    if (this.#bare) throw new RowProblem('a header follows rows that have none');
    this.#open = { header, hash: createHash('sha256'), rows: 0 };
    count(this.#open, bytes);
    this.#sink.begin(header);
  }

  #row(row: ParsedRow, bytes: Buffer): void {
    if (this.#open !== null) {
      count(this.#open, bytes);
      this.#open.rows += 1;
    } else if (!this.#bare && row.names?.length !== 0) {
      this.#bare = true;
      this.#sink.begin(null);
    }
    if (row.names?.length !== 0) this.#sink.row(row);
  }

  #end({ $rows, $sha256 }: TableFooter): void {
    const table = this.#open!;
    if (table.rows !== $rows) {
      throw footerError(table, `its footer promises ${$rows} rows, and there are ${table.rows}`);
    }
    if ($sha256 !== null && table.hash.digest('hex') !== $sha256) {
      throw footerError(table, 'its lines are not those that its footer has the checksum of');
    }
    this.#open = null;
    this.#sink.end();
  }
}

function count({ hash }: OpenTable, bytes: Buffer): void {
  hash.update(bytes);
  hash.update('\n');
}

function footerError({ header }: OpenTable, state: string): HoldfastError {
  return cannot('VERIFY_FAILED', 'import table', header.$table, state, {
    hint: 'Nothing was imported. The file was cut short or changed after it was exported.',
  });
}

/**
 * Reads a whole file into the sink, piece by piece. Blank lines and empty objects are nothing.
 * @throws UNSUPPORTED_FORMAT naming the line; VERIFY_FAILED where a footer is missing or says otherwise; LIMIT_EXCEEDED
 */
export async function readTables(
  input: AsyncIterable<Uint8Array>,
  sink: TableSink,
  { lineBytesMax = LINE_BYTES_MAX, activity }: ReadTablesOptions,
): Promise<void> {
  const reader = new TableReader(sink);
  let bytesDone = 0;
  activity.signal.throwIfAborted();
  for await (const { lines, bytes } of readLines(input, lineBytesMax)) {
    for (const line of lines) reader.line(line);
    bytesDone += bytes;
    activity.progress({ phase: 'import tables', bytesDone });
    await setImmediate();
    activity.signal.throwIfAborted();
  }
  reader.finish();
}
