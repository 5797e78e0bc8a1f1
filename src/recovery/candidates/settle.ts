import Database from 'better-sqlite3';
import { cannot } from '../../kernel/errors.ts';
import type { JournalMode } from '../../sqlite/header.ts';
import { readWithoutTrust } from '../../sqlite/without-trust.ts';
import { readSchema, type SchemaObject } from '../damage.ts';

/** Opens a private copy for repair: nothing of the application's own rules may run or refuse. */
export function openCopy(path: string): Database.Database {
  const database = new Database(path, { fileMustExist: true, timeout: 0 });
  database.pragma('mmap_size = 0');
  database.pragma('foreign_keys = OFF');
  readWithoutTrust(database);
  return database;
}

/** The schema of a private copy. @throws what SQLite throws for a schema that cannot be read */
export function schemaOf(path: string): SchemaObject[] {
  const database = openCopy(path);
  try {
    return readSchema(database);
  } finally {
    database.close();
  }
}

/**
 * Replays the copy's journal or WAL, gives it the journal mode it has to have, and leaves one file.
 * @throws what SQLite throws for a damaged file
 */
export function settle(path: string, journalMode: JournalMode): void {
  const database = openCopy(path);
  try {
    if (journalMode === 'rollback') {
      database.pragma('journal_mode = DELETE');
      return;
    }
    database.pragma('journal_mode = WAL');
    const [row] = database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    if (row?.busy !== 0) throw cannot('INTERNAL', 'checkpoint copy', path, 'something has it open');
  } finally {
    database.close();
  }
}
