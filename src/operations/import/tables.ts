import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { importTables, type TableImport } from '../../artifacts/tables/import-tables.ts';
import { removeDurably } from '../../files/durable.ts';
import { identify } from '../../files/entry-identity.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { isBusyCode } from '../../sqlite/database-check.ts';
import type { FamilyStat } from '../../sqlite/family.ts';
import { type OperationContext, ownPaths, requireSource } from '../operation.ts';
import { takeCheckpoint } from '../restore/checkpoint.ts';
import { databasePlace, replaceDatabase } from '../restore/replace-database.ts';
import { copyLiveDatabase } from '../restore/staged-database.ts';
import { meantDatabase, NOTHING_REPLACED, withStaging } from './database.ts';
import type { ImportInto } from './parameters.ts';

/** How long others may keep a live database locked. */
const BUSY_TIMEOUT_MS = 15_000;

type Params = ImportInto<'tables'>;

/** Rows into tables that are there: in a copy that is then swapped in, or in the live database itself. */
export async function importRows(
  context: OperationContext,
  params: Params,
): Promise<Record<string, unknown>> {
  const { from, mode, live, dryRun } = params;
  const source = requireSource(context.settings, params.sourceId);
  if (live && dryRun) {
    throw cannot('INVALID_PARAMS', 'import', from, 'nothing is tried in a live database', {
      hint: 'Leave --live out: then all of it is done in a copy.',
    });
  }
  const database = await meantDatabase(context, source, params.database);
  const place = await databasePlace({ source, database }, ownPaths(context.settings));
  if ((await identify(place)) === null) {
    throw cannot('PATH_NOT_FOUND', 'import into', database, 'there is no such database', {
      hint: 'Make it of the file: holdfast import FILE --source NAME --database PATH, without --mode.',
    });
  }
  const about = { sourceId: source.id, database, from, format: 'jsonl', mode, live, dryRun };
  const work = { source, database, place };
  const done = live
    ? await importLive(context, params, work)
    : await importStaged(context, params, work);
  return { ...about, ...totals(done.tables), ...done };
}

interface Work {
  readonly source: ReturnType<typeof requireSource>;
  readonly database: string;
  readonly place: string;
}

interface Done extends Record<string, unknown> {
  readonly tables: readonly TableImport[];
}

async function importStaged(
  context: OperationContext,
  params: Params,
  { source, database, place }: Work,
): Promise<Done> {
  const { from, checkpoint, dryRun } = params;
  return withStaging(context, place, async (directory) => {
    const stagedPath = join(directory, 'import.db');
    await requireFreeSpace(directory, (await identify(place))?.bytes ?? 0, 'import into');
    let tables: readonly TableImport[] = [];
    const build = async (): Promise<FamilyStat> => {
      await removeDurably(stagedPath);
      const before = await copyLiveDatabase(place, stagedPath, context);
      tables = await importInto(context, params, stagedPath);
      return before;
    };
    const expected = await build();
    if (dryRun) return { tables, ...NOTHING_REPLACED };
    // What is wrong with the rows has shown: an application that is stopped may still have written something until then.
    const moment = source.service === null ? { expected } : { build };
    const replaced = await replaceDatabase(context, {
      ...{ source, database, stagedPath, checkpoint, check: 'full', ...moment },
      origin: 'pre-restore',
      note: `import of ${basename(from)}`,
    });
    return { tables, ...replaced, checked: [{ path: database, ok: true }] };
  });
}

async function importLive(
  context: OperationContext,
  params: Params,
  { source, database, place }: Work,
): Promise<Done> {
  const reason = `before the import of ${basename(params.from)}`;
  const preRestoreSnapshotId = params.checkpoint
    ? await takeCheckpoint(context, source.id, [database], { origin: 'pre-restore', reason })
    : null;
  const tables = await importInto(context, params, place);
  return { tables, quarantineId: null, preRestoreSnapshotId };
}

async function importInto(
  { activity }: OperationContext,
  { from, mode, strict, triggers, table, lineBytesMax }: Params,
  path: string,
): Promise<readonly TableImport[]> {
  activity.progress({ phase: 'import rows', currentFile: basename(from) });
  const database = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma('trusted_schema = OFF');
    const tables = await importTables(createReadStream(from), database, {
      ...{ mode, strict, triggers, activity },
      ...(table === undefined ? {} : { table }),
      ...(lineBytesMax === undefined ? {} : { lineBytesMax }),
    });
    for (const { table: name, unknownColumns } of tables) {
      if (unknownColumns.length === 0) continue;
      activity.warn(`${name} has no ${unknownColumns.slice(0, 10).join(', ')}: left out`);
    }
    return tables;
  } catch (error) {
    if (!isBusyCode(systemCode(error))) throw error;
    throw cannot('BUSY', 'import into', path, 'others keep it locked', {
      hint: 'Nothing was imported. Try again, or stop the application first.',
      retryable: true,
      cause: error,
    });
  } finally {
    database.close();
  }
}

function totals(tables: readonly TableImport[]): Record<string, number> {
  const sum = (field: 'read' | 'inserted' | 'updated' | 'ignored'): number =>
    tables.reduce((all, each) => all + each[field], 0);
  return {
    ...{ rowsRead: sum('read'), inserted: sum('inserted') },
    ...{ updated: sum('updated'), ignored: sum('ignored') },
  };
}
