import Database from 'better-sqlite3';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { checkConnection } from '../../sqlite/database-check.ts';

export interface LoadedCheck {
  /** Rows whose parent is missing, at most `FOREIGN_KEY_VIOLATIONS_MAX`; null where SQLite could not tell. */
  readonly foreignKeyViolations: number | null;
}

export const FOREIGN_KEY_VIOLATIONS_MAX = 10_000;
const MESSAGES_SHOWN = 5;

/**
 * Opens a database that was just loaded as everybody else will, and checks it whole. Rows may break CHECK constraints
 * and foreign keys, as they did where they came from.
 * @throws VERIFY_FAILED
 */
export function checkLoaded(path: string): LoadedCheck {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma('ignore_check_constraints = ON');
    database.pragma('cell_size_check = ON');
    const { ok, messages } = checkConnection(database, 'full');
    if (!ok) throw notSound(messages.slice(0, MESSAGES_SHOWN).join('; '));
    return { foreignKeyViolations: countViolations(database) };
  } catch (error) {
    throw systemCode(error)?.startsWith('SQLITE_') === true ? notSound(messageOf(error)) : error;
  } finally {
    database.close();
  }
}

function notSound(state: string): Error {
  return cannot(
    'VERIFY_FAILED',
    'load',
    'SQL text',
    `the database it makes is not sound: ${state}`,
  );
}

/** A key that refers to what cannot be referred to is an error of the schema, which was so before. */
function countViolations(database: Database.Database): number | null {
  try {
    let count = 0;
    for (const _row of database.prepare('PRAGMA main.foreign_key_check').raw().iterate()) {
      count += 1;
      if (count >= FOREIGN_KEY_VIOLATIONS_MAX) break;
    }
    return count;
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_ERROR') === true) return null;
    throw error;
  }
}
