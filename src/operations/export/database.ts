import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { dumpSql } from '../../artifacts/sql/dump-sql.ts';
import { exportTables, type TableCount } from '../../artifacts/tables/export-tables.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot, HoldfastError, messageOf, systemCode } from '../../kernel/errors.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { isConstraintOnly } from '../../sqlite/integrity-messages.ts';
import type { OperationContext } from '../operation.ts';
import { markAsRollbackMode } from '../restore/staged-database.ts';
import type { DatabaseFormat } from './parameters.ts';
import { different, openForReading, proveJsonl, proveSql, removeFamily } from './proof.ts';
import type { ExportTarget } from './target.ts';

export interface DatabaseExport {
  readonly format: DatabaseFormat;
  /** Logical path, or the name of a file. */
  readonly database: string;
  readonly tables: readonly string[] | null;
  readonly plain: boolean;
  /** What names the moment; null: nothing does. */
  readonly snapshotId: string | null;
  /** Whether the result is read back. */
  readonly verify: boolean;
  /** Whether it passed its check when it was captured; null: it was not checked before. */
  readonly isSound: boolean | null;
  /** Upper bound of the image. */
  readonly bytes: number;
  /** Makes a new file that is the database, at one moment. */
  readonly layOut: (to: string) => Promise<void>;
}

export interface DatabaseExported {
  readonly database: string;
  readonly tables: number | null;
  readonly rows: number | null;
  /** Rows of each table; of `jsonl`. */
  readonly tableCounts?: readonly TableCount[];
  readonly verified: boolean;
}

/** One database in one of its three forms. @throws SOURCE_CORRUPT, VERIFY_FAILED where what was written is not what was read */
export async function exportDatabase(
  context: OperationContext,
  request: DatabaseExport,
  target: ExportTarget,
): Promise<DatabaseExported> {
  try {
    return await exportAs(context, request, target);
  } catch (error) {
    throw unreadable(error, request.database) ?? error;
  }
}

/** What SQLite says of a file that it does not read, or not to its end. */
function unreadable(error: unknown, database: string): Error | null {
  const code = systemCode(error) ?? '';
  // What is said already is said better, such as that only its application has a collation.
  if (error instanceof HoldfastError) return null;
  const isSchema = /^malformed database schema|unsafe use of|^unsupported file format/.test(
    messageOf(error),
  );
  const isDamage = /^SQLITE_(CORRUPT|NOTADB|TOOBIG|NOMEM)/.test(code);
  if (!isDamage && !(code.startsWith('SQLITE_ERROR') && isSchema)) return null;
  return cannot('SOURCE_CORRUPT', 'export', database, messageOf(error), {
    hint: 'Export it as it is: --format db. Or have what can be read of it saved: holdfast recover --database FILE --to FILE.',
    cause: error,
  });
}

function exportAs(
  context: OperationContext,
  request: DatabaseExport,
  target: ExportTarget,
): Promise<DatabaseExported> {
  return request.format === 'db'
    ? exportImage(context, request, target)
    : withImage(context, request, (image) =>
        request.format === 'sql'
          ? exportSql(context, request, target, image)
          : exportJsonl(context, request, target, image),
      );
}

async function exportImage(
  { activity }: OperationContext,
  { layOut, database, verify, isSound }: DatabaseExport,
  { filePath }: ExportTarget,
): Promise<DatabaseExported> {
  await layOut(filePath);
  await markAsRollbackMode(filePath);
  const about = { database, tables: null, rows: null };
  if (!verify || isSound === false) return { ...about, verified: false };
  activity.progress({ phase: 'check' });
  const { ok, messages, outcome } = checkDatabase(filePath, 'quick', { readonly: true });
  if (ok || isConstraintOnly(messages)) return { ...about, verified: true };
  if (isSound === true) throw different(database, messages);
  const what = outcome === 'corrupt' ? 'is damaged' : 'could not be checked';
  activity.warn(`${database} ${what}: ${messages[0] ?? outcome}`);
  return { ...about, verified: false };
}

/** Runs `use` with a connection on the image, in a read transaction, that runs nothing of the file's own. */
async function withImage<T>(
  { scratchDirectory }: OperationContext,
  { bytes, layOut }: DatabaseExport,
  use: (image: Database.Database) => Promise<T>,
): Promise<T> {
  const path = join(scratchDirectory, 'image.db');
  await requireFreeSpace(scratchDirectory, bytes, 'lay out a database in');
  try {
    await layOut(path);
    await markAsRollbackMode(path);
    const image = openForReading(path);
    try {
      return await use(image);
    } finally {
      image.close();
    }
  } finally {
    await removeFamily(path);
  }
}

async function exportSql(
  context: OperationContext,
  { database, verify }: DatabaseExport,
  target: ExportTarget,
  image: Database.Database,
): Promise<DatabaseExported> {
  const { activity } = context;
  activity.progress({ phase: 'write sql', currentFile: database });
  const dump = counted(dumpSql(image, { activity }));
  await target.write(dump.pieces());
  const { tables, rows } = dump.end();
  if (verify) await proveSql(context, database, target.filePath, image);
  return { database, tables, rows, verified: verify };
}

async function exportJsonl(
  context: OperationContext,
  request: DatabaseExport,
  target: ExportTarget,
  image: Database.Database,
): Promise<DatabaseExported> {
  const { activity } = context;
  const { database, tables, plain, verify } = request;
  activity.progress({ phase: 'write tables', currentFile: database });
  const snapshotTxn = request.snapshotId === null ? {} : { snapshotTxn: request.snapshotId };
  const options = { tables, plain, databaseName: database, activity, ...snapshotTxn };
  const rows = counted(exportTables(image, options));
  await target.write(rows.pieces());
  const tableCounts = rows.end();
  if (verify) await proveJsonl(context, request, target.filePath, image, tableCounts);
  return {
    database,
    tables: tableCounts.length,
    rows: tableCounts.reduce((sum, each) => sum + each.rows, 0),
    tableCounts,
    verified: verify,
  };
}

/** A generator's pieces, and what it returns at its end. */
function counted<Result>(generator: AsyncGenerator<string, Result>): {
  pieces(): AsyncGenerator<string>;
  end(): Result;
} {
  let ended: { readonly result: Result } | null = null;
  return {
    async *pieces() {
      ended = { result: yield* generator };
    },
    end() {
      if (ended === null)
        throw cannot('INTERNAL', 'count', 'an export', 'it was not read to its end');
      return ended.result;
    },
  };
}
