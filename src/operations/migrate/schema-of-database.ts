import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { MigrationSettings } from '../../config/settings.ts';
import { familyMembers } from '../../files/family-members.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot } from '../../kernel/errors.ts';
import {
  interpretVersion,
  readSchemaVersion,
  type SchemaVersion,
} from '../../migrations/schema-version.ts';
import type { StepSet } from '../../migrations/step.ts';
import { type PinnedDatabase, pinDatabases } from '../../sqlite/pinned-read.ts';
import type { StoreReader } from '../../store/store.ts';
import type { OperationContext } from '../operation.ts';
import { layOutDatabase, markAsRollbackMode } from '../restore/staged-database.ts';

/** Which version the schema of a database has, wherever it stands. */

const BUSY_TIMEOUT_MS = 5_000;

/** Of a copy that nobody else knows. */
export function versionOfCopy(
  path: string,
  settings: MigrationSettings,
  set: StepSet,
): SchemaVersion {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma('query_only = ON');
    database.pragma('trusted_schema = OFF');
    return readSchemaVersion(database, settings, set);
  } finally {
    database.close();
  }
}

/** Of a database that an application may be using: nothing of it is changed or left behind. @throws SOURCE_CORRUPT, BUSY, PATH_NOT_FOUND */
export async function versionOfLive(
  path: string,
  settings: MigrationSettings,
  set: StepSet,
  { activity, clock, scratchDirectory }: OperationContext,
): Promise<SchemaVersion> {
  const { signal } = activity;
  const pins = { scratchDirectory, timeoutMs: BUSY_TIMEOUT_MS, clock, signal };
  const pinned = await pinDatabases([path], pins);
  try {
    const [database] = pinned.databases as [PinnedDatabase];
    const version = database.withConnection((connection) => {
      connection.pragma('trusted_schema = OFF');
      return readSchemaVersion(connection, settings, set);
    });
    if (version !== null) return version;
    throw cannot('SOURCE_CORRUPT', 'read database', path, database.failure ?? 'it is damaged', {
      hint: 'Recover it first: holdfast recover.',
    });
  } finally {
    await pinned.close();
  }
}

/** Of a database as a snapshot holds it: by what the manifest says, or else by its image, laid out in scratch. */
export async function versionInSnapshot(
  { reader, snapshotId }: { readonly reader: StoreReader; readonly snapshotId: string },
  settings: MigrationSettings,
  set: StepSet,
  { activity, scratchDirectory }: OperationContext,
): Promise<SchemaVersion> {
  const { databases } = await reader.readManifest(snapshotId);
  const recorded = databases.find(({ path }) => path === settings.database);
  const { userVersion = 0, pageBytes = 0, pageCount = 0 } = recorded ?? {};
  if (settings.versionQuery === null && userVersion !== 0)
    return interpretVersion(userVersion, set);
  await requireFreeSpace(scratchDirectory, pageBytes * pageCount, 'lay a database out in');
  const place = join(scratchDirectory, 'version.db');
  try {
    await layOutDatabase(reader, snapshotId, settings.database, place, activity);
    await markAsRollbackMode(place);
    return versionOfCopy(place, settings, set);
  } finally {
    for (const member of familyMembers(place)) await rm(member, { force: true });
  }
}
