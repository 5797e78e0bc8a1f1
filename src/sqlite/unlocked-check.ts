import { closeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { systemCode } from '../kernel/errors.ts';
import { type CheckLevel, type ConnectionCheck, checkConnection } from './database-check.ts';
import { openForReading } from './read-at.ts';

/**
 * Checks a rollback-mode database without keeping its writers waiting: what closing a file does to the locks that a
 * process has on it, elsewhere a trap, is here the means. SQLite reads on as in the transaction that it has begun,
 * and writers go on as if nobody read.
 *
 * The result means something only where the caller proves that nothing was written meanwhile. Nothing else in this
 * process may have the file open.
 * @returns null where the database cannot be entered, or changed under the check
 */
export function checkUnlocked(path: string, level: CheckLevel): ConnectionCheck | null {
  let letGo: number | null = openForReading(path);
  let connection: Database.Database | null = null;
  try {
    connection = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    connection.pragma('mmap_size = 0');
    connection.pragma('query_only = ON');
    connection.exec('BEGIN');
    connection.pragma('schema_version');
    closeSync(letGo);
    letGo = null;
    return checkConnection(connection, level);
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_') === true) return null;
    throw error;
  } finally {
    connection?.close();
    if (letGo !== null) closeSync(letGo);
  }
}
