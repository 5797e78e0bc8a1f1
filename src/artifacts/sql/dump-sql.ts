import { setImmediate } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { readPragmas, readWithoutTrust } from './database-pragmas.ts';
import { dumpStatements } from './dump-statements.ts';

/**
 * SQL text out of a database, and back. A dump recreates everything that an application can tell: schema text, rows
 * with their types and rowids, full-text indexes as they are, sequences, statistics, pragmas. It is made of plain
 * statements that SQLite's own shell replays.
 */

export interface DumpCounts {
  readonly tables: number;
  readonly rows: number;
}

export const PIECE_CHARACTERS = 64 * 1024;

/**
 * SQL text in pieces of about 64 KiB; the connection is in a read transaction already, so that all of it is of one
 * moment. Holds one row at a time, however large the tables are. Changes two settings of the connection
 * (`trusted_schema` off, `cell_size_check` on).
 * @throws UNSUPPORTED_FORMAT for rows ordered by a collation that only the application has; LIMIT_EXCEEDED for a row
 * that no statement can hold
 */
export async function* dumpSql(
  database: Database.Database,
  options: { readonly activity: Activity },
): AsyncGenerator<string, DumpCounts> {
  if (!database.inTransaction) throw new Error('dumpSql needs a connection in a transaction');
  readWithoutTrust(database);
  const counts = { tables: 0, rows: 0 };
  const statements = dumpStatements(database, readPragmas(database), counts, (table) =>
    options.activity.progress({ phase: 'dump', currentFile: table }),
  );
  let bytesDone = 0;
  for (const piece of inPieces(statements)) {
    options.activity.signal.throwIfAborted();
    yield piece;
    bytesDone += piece.length;
    options.activity.progress({ bytesDone });
    await setImmediate();
  }
  return counts;
}

function* inPieces(texts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of texts) {
    if (text.length > PIECE_CHARACTERS) {
      if (piece !== '') yield piece;
      piece = '';
      yield* slices(text);
      continue;
    }
    piece += text;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** Never between the two halves of a character. */
function* slices(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    let end = Math.min(text.length, start + PIECE_CHARACTERS);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end -= 1;
    yield text.slice(start, end);
    start = end;
  }
}
