import { closeSync, constants, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import type { SourceSettings } from '../../config/settings.ts';
import { identify } from '../../files/entry-identity.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { chooseStagingDirectory, removeStaging } from '../../files/staging.ts';
import { cannot } from '../../kernel/errors.ts';
import { HEADER_BYTES, parseHeader } from '../../sqlite/header.ts';
import { migrateStaged, settleMigrations } from '../migrate/migrate-staged.ts';
import { type OperationContext, ownPaths, requireSource } from '../operation.ts';
import { withReader } from '../repository-access.ts';
import { databasePlace, replaceDatabase } from '../restore/replace-database.ts';
import { type BuiltDatabase, buildDatabase } from './build-database.ts';
import type { ImportInto } from './parameters.ts';

/** The database that is meant: the one named, or the only one of the newest snapshot. @throws INVALID_PARAMS */
export async function meantDatabase(
  { settings }: OperationContext,
  source: SourceSettings,
  database: string | undefined,
): Promise<string> {
  if (database !== undefined) return database;
  const known = await withReader(settings, async (reader) => {
    const manifest = await reader.readManifest(reader.resolveSnapshot('latest', source.id));
    return manifest.databases.map(({ path }) => path);
  }).catch(() => []);
  const [only, ...others] = known;
  if (only !== undefined && others.length === 0) return only;
  throw cannot('INVALID_PARAMS', 'import into', source.name, 'it is not said which database', {
    hint: `Name it: --database ${known.slice(0, 5).join(' or ') || 'data/app.db'}.`,
  });
}

/** Runs `use` with a directory on the file system of the place, removed afterwards, whatever ends this process. */
export async function withStaging<T>(
  { settings }: OperationContext,
  place: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const outside = settings.sources.flatMap(({ roots }) => roots.map(({ path }) => path));
  const closed = [...outside, ...ownPaths(settings)];
  const directory = await chooseStagingDirectory(place, closed, settings.stateDirectory);
  try {
    return await use(directory);
  } finally {
    await removeStaging(directory, settings.stateDirectory);
  }
}

/** Puts what a file holds in the place of a whole database, brought to the version of its application. */
export async function importDatabase(
  context: OperationContext,
  params: ImportInto<'database'>,
): Promise<Record<string, unknown>> {
  const { from, format, strict, dryRun } = params;
  const source = requireSource(context.settings, params.sourceId);
  const database = await meantDatabase(context, source, params.database);
  const place = await databasePlace({ source, database }, ownPaths(context.settings));
  return withStaging(context, place, async (directory) => {
    const stagedPath = join(directory, 'import.db');
    await requireFreeSpace(directory, (await stat(from)).size, 'import into');
    const built = await buildDatabase(context, { from, format, to: stagedPath, strict });
    await warnOfLosses(context, built, database, place);
    await keepJournalMode(place, stagedPath);
    const installed = await migrateAndInstall(context, params, { source, database, stagedPath });
    return { sourceId: source.id, database, from, dryRun, ...built, ...installed };
  });
}

/** Rows alone are in such a file. */
async function warnOfLosses(
  { activity }: OperationContext,
  { format }: BuiltDatabase,
  database: string,
  place: string,
): Promise<void> {
  if (format !== 'jsonl' || (await identify(place)) === null) return;
  activity.warn(
    `${database} is made of tables alone: it has no view, trigger and full-text table of what it replaces`,
  );
}

interface Staged {
  readonly source: SourceSettings;
  readonly database: string;
  readonly stagedPath: string;
}

async function migrateAndInstall(
  context: OperationContext,
  { from, checkpoint, dryRun, migrate, allowNewer }: ImportInto<'database'>,
  { source, database, stagedPath }: Staged,
): Promise<Record<string, unknown>> {
  const choice = { migrate, allowNewer };
  const outcome = await migrateStaged(context, source, database, stagedPath, choice);
  const { compatibility, migration } = outcome;
  let isInstalled = false;
  try {
    if (dryRun) return { compatibility, migration, ...NOTHING_REPLACED };
    const replaced = await replaceDatabase(context, {
      ...{ source, database, stagedPath, checkpoint, check: 'quick' },
      origin: 'pre-restore',
      note: `import of ${basename(from)}`,
    });
    isInstalled = true;
    return { compatibility, migration, ...replaced, checked: [{ path: database, ok: true }] };
  } finally {
    if (compatibility !== null) await settleMigrations(context, isInstalled);
  }
}

export const NOTHING_REPLACED = { quarantineId: null, preRestoreSnapshotId: null } as const;

/** An application that chose a write-ahead log finds its database in that mode again. */
async function keepJournalMode(place: string, stagedPath: string): Promise<void> {
  if ((await identify(place)) === null) return;
  const mode = modeOf(place);
  const database = new Database(stagedPath, { fileMustExist: true });
  try {
    if (mode !== null) database.pragma(`journal_mode = ${mode}`);
  } finally {
    database.close();
  }
}

/** From the header alone: opening the database could leave files beside it. Null for what is no database. */
function modeOf(path: string): 'WAL' | 'DELETE' | null {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    readSync(descriptor, bytes, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(descriptor);
  }
  const header = parseHeader(bytes);
  if (header === null) return null;
  return header.journalMode === 'wal' ? 'WAL' : 'DELETE';
}
