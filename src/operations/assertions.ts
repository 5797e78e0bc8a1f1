import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { AssertionSettings } from '../config/settings.ts';
import { messageOf } from '../kernel/errors.ts';

/** What must hold in a restored snapshot, evaluated on databases of its own. */

export interface AssertionOutcome {
  readonly name: string;
  readonly database: string;
  readonly ok: boolean;
  /** What was found instead; null when it holds. */
  readonly message: string | null;
}

const VALUE_CHARACTERS_MAX = 200;

function shown(value: unknown): string {
  if (Buffer.isBuffer(value)) return `a blob of ${value.length} bytes`;
  return (JSON.stringify(value) ?? String(value)).slice(0, VALUE_CHARACTERS_MAX);
}

/** Null when the first row is what is expected. */
function objection(
  row: readonly unknown[] | undefined,
  expect: AssertionSettings['expect'],
): string | null {
  if (expect === 'rows') return row === undefined ? 'it gave no rows' : null;
  if (expect === 'no-rows') {
    return row === undefined ? null : `it gave rows, the first: ${row.map(shown).join(', ')}`;
  }
  if (row === undefined) return `it gave no rows, not ${shown(expect)}`;
  return row[0] === expect ? null : `it gave ${shown(row[0])}, not ${shown(expect)}`;
}

function evaluate(path: string, { sql, expect }: AssertionSettings, live: boolean): string | null {
  // A WAL-mode database that nobody has open is left as it was only by a connection that may write.
  const database = new Database(path, { readonly: !live, fileMustExist: true });
  try {
    database.pragma('query_only = ON');
    database.pragma('trusted_schema = OFF');
    const statement = database.prepare<[], unknown[]>(sql);
    if (!statement.reader || !statement.readonly) return 'it is no query';
    return objection(statement.raw().get(), expect);
  } finally {
    database.close();
  }
}

/** One assertion on the database at `path`; `live`: an application's own, in which nothing may be left behind. */
export function evaluateAssertion(
  assertion: AssertionSettings,
  path: string,
  live = false,
): AssertionOutcome {
  const { name, database } = assertion;
  let message: string | null;
  try {
    message = evaluate(path, assertion, live);
  } catch (error) {
    message = messageOf(error);
  }
  return { name, database, ok: message === null, message };
}

/**
 * Evaluates each assertion on the databases below `directory`, laid out by their logical paths. A query that cannot be
 * run, or whose database is not there, does not hold. SQLite is not to be interrupted here: the deadline of the job
 * ends the process.
 */
export function evaluateAssertions(
  assertions: readonly AssertionSettings[],
  directory: string,
  signal: AbortSignal,
): AssertionOutcome[] {
  return assertions.map((assertion) => {
    signal.throwIfAborted();
    return evaluateAssertion(assertion, join(directory, ...assertion.database.split('/')));
  });
}
