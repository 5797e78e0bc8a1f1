import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { compareDatabases } from '../../artifacts/sql/compare-databases.ts';
import { loadSql } from '../../artifacts/sql/load-sql.ts';
import type { TableCount } from '../../artifacts/tables/export-tables.ts';
import { proveTables } from '../../artifacts/tables/prove-tables.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot, HoldfastError } from '../../kernel/errors.ts';
import { SIDECAR_SUFFIXES } from '../../sqlite/family.ts';
import type { OperationContext } from '../operation.ts';

/** Whether what was written makes what was read. */

/** In a read transaction; nothing of the file's own is run. */
export function openForReading(path: string): Database.Database {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.exec('BEGIN');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export async function removeFamily(path: string): Promise<void> {
  for (const suffix of ['', ...SIDECAR_SUFFIXES]) await rm(`${path}${suffix}`, { force: true });
}

/** The text, run in a new database, makes the one that it was made of. */
export async function proveSql(
  context: OperationContext,
  database: string,
  filePath: string,
  image: Database.Database,
): Promise<void> {
  const { activity, scratchDirectory } = context;
  const path = join(scratchDirectory, 'proof.db');
  await requireFreeSpace(scratchDirectory, (await stat(filePath)).size, 'prove an export in');
  try {
    activity.progress({ phase: 'read back', currentFile: database });
    await loadSql(createReadStream(filePath), path, { activity }).catch((error: unknown) => {
      throw unprovable(error, database);
    });
    const proof = openForReading(path);
    try {
      activity.progress({ phase: 'compare', currentFile: database });
      const differences = await compareDatabases(image, proof, activity);
      if (differences.length > 0) throw different(database, differences);
    } finally {
      proof.close();
    }
  } finally {
    await removeFamily(path);
  }
}

/** Every row of the file is the one that is stored, and none is missing. */
export async function proveJsonl(
  { activity }: OperationContext,
  { database: databaseName, plain }: { readonly database: string; readonly plain: boolean },
  filePath: string,
  image: Database.Database,
  written: readonly TableCount[],
): Promise<void> {
  activity.progress({ phase: 'read back', currentFile: databaseName });
  const [first] = written;
  const table = plain && first !== undefined ? { table: first.table } : {};
  const options = { databaseName, activity, ...table };
  const read = await proveTables(createReadStream(filePath), image, options);
  const rows = new Map(read.map((each) => [each.table, each.rows]));
  const lost = written.filter((each) => rows.get(each.table) !== each.rows);
  if (lost.length === 0) return;
  const states = lost.map(
    (each) => `${rows.get(each.table) ?? 0} of ${each.rows} of ${each.table}`,
  );
  throw different(databaseName, states);
}

/** What no other program than its application can make again is no fault of the text. */
function unprovable(error: unknown, database: string): unknown {
  if (!(error instanceof HoldfastError) || error.code === 'CANCELLED') return error;
  return cannot(error.code, 'prove the export of', database, error.message, {
    hint: 'Export it as a database file, with --format db; or as it is, with --no-verify.',
    cause: error,
  });
}

export function different(database: string, differences: readonly string[]): Error {
  const state = `what was written is not what was read: ${differences[0] ?? 'it is damaged'}`;
  return cannot('VERIFY_FAILED', 'export', database, state, {
    hint: 'Export it as a database file instead, with --format db, and report this.',
    details: { differences: differences.slice(0, 20) },
  });
}
