import type Database from 'better-sqlite3';
import { durableStepSync } from '../../files/durable-steps.ts';
import { cannot } from '../../kernel/errors.ts';

/**
 * Runs `work` in one transaction, which is rolled back whatever it throws. Foreign keys do nothing meanwhile: to empty
 * a table in order to fill it again must not delete what refers to it.
 */
export async function inOneTransaction<Result>(
  database: Database.Database,
  work: () => Promise<Result>,
): Promise<Result> {
  if (database.inTransaction) {
    throw cannot('INTERNAL', 'import into', database.name, 'it is in a transaction already');
  }
  const foreignKeys = database.pragma('foreign_keys', { simple: true });
  database.pragma('foreign_keys = OFF');
  try {
    database.exec('BEGIN IMMEDIATE');
    const result = await work();
    durableStepSync('sqlite-commit', database.name, () => database.exec('COMMIT'));
    return result;
  } catch (error) {
    // SQLite ends it itself where the disk is full.
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    database.pragma(`foreign_keys = ${foreignKeys}`);
  }
}
