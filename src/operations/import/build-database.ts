import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import Database from 'better-sqlite3';
import { loadSql } from '../../artifacts/sql/load-sql.ts';
import { importNewDatabase } from '../../artifacts/tables/import-tables.ts';
import { cannot } from '../../kernel/errors.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { isConstraintOnly } from '../../sqlite/integrity-messages.ts';
import type { OperationContext } from '../operation.ts';
import { copyLiveDatabase } from '../restore/staged-database.ts';
import { formatOf, type ImportFormat } from './format.ts';

export interface BuiltDatabase {
  readonly format: Exclude<ImportFormat, 'archive'>;
  readonly bytes: number;
  /** Rows that point to nothing; imported all the same unless refused. */
  readonly foreignKeyViolations: number;
}

interface BuildRequest {
  readonly from: string;
  readonly format: BuiltDatabase['format'] | undefined;
  /** A new file. */
  readonly to: string;
  /** Rows that point to nothing are refused. */
  readonly strict: boolean;
}

/**
 * A new, checked database of what is in a file: a database (with what its own log holds), SQL text, or tables.
 * @throws VERIFY_FAILED, UNSUPPORTED_FORMAT, and what its reader finds wrong
 */
export async function buildDatabase(
  context: OperationContext,
  { from, format: named, to, strict }: BuildRequest,
): Promise<BuiltDatabase> {
  const { activity } = context;
  const format = named ?? (await formatOf(from));
  if (format === 'archive') {
    throw cannot('INVALID_PARAMS', 'import', from, 'it is an archive, not a database', {
      hint: 'Import it as a snapshot: holdfast import ARCHIVE --source NAME.',
    });
  }
  activity.progress({ phase: `read ${format}`, currentFile: basename(from) });
  if (format === 'db') await copyLiveDatabase(from, to, context);
  else if (format === 'sql') await loadSql(createReadStream(from), to, { activity });
  else await importNewDatabase(createReadStream(from), to, { activity });
  activity.progress({ phase: 'check' });
  const { ok, messages } = checkDatabase(to, 'full');
  if (!ok && !isConstraintOnly(messages)) {
    throw cannot('VERIFY_FAILED', 'import', from, messages[0] ?? 'it is damaged', {
      hint: 'Nothing was imported. What can be saved of it: holdfast recover --database FILE --to NEW.',
      details: { messages: messages.slice(0, 20) },
    });
  }
  const foreignKeyViolations = violationsIn(to);
  if (foreignKeyViolations > 0) {
    const state = `${foreignKeyViolations} rows point to rows that are not there`;
    if (strict) throw cannot('VERIFY_FAILED', 'import', from, state);
    activity.warn(`${basename(from)}: ${state}`);
  }
  return { format, bytes: (await stat(to)).size, foreignKeyViolations };
}

const VIOLATIONS_MAX = 1_000_000;

function violationsIn(path: string): number {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma('trusted_schema = OFF');
    let count = 0;
    for (const _row of database.prepare('PRAGMA foreign_key_check').iterate()) {
      count += 1;
      if (count >= VIOLATIONS_MAX) break;
    }
    return count;
  } finally {
    database.close();
  }
}
