import { cannot, HoldfastError, messageOf, systemCode } from '../../kernel/errors.ts';
import { isCorruptionCode } from '../../sqlite/database-check.ts';

/** What SQLite said of a table that cannot be read, in words that can be acted on. */
export function readingError(table: string, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const code = systemCode(error);
  if (isCorruptionCode(code)) {
    const hint = 'Recover the database first, or export an older snapshot of it.';
    return cannot('SOURCE_CORRUPT', 'export table', table, messageOf(error), {
      hint,
      cause: error,
    });
  }
  if (code === 'ERR_STRING_TOO_LONG' || error instanceof RangeError) {
    const hint = 'Export the database itself: a line cannot hold half a gigabyte.';
    return cannot('LIMIT_EXCEEDED', 'export table', table, 'one of its rows is too large', {
      hint,
      cause: error,
    });
  }
  if (code?.startsWith('SQLITE_ERROR') !== true) return error;
  const hint =
    'It needs what only the application has, such as a collation. Export the database itself.';
  return cannot('UNSUPPORTED_FORMAT', 'export table', table, messageOf(error), {
    hint,
    cause: error,
  });
}
