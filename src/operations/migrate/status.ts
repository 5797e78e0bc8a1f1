import { hostPathOf } from '../../config/root-paths.ts';
import { identify } from '../../files/entry-identity.ts';
import { changedSteps } from '../../migrations/changed-steps.ts';
import { MigrationHistory } from '../../migrations/migration-history.ts';
import {
  type Compatibility,
  compatibilityOf,
  pendingSteps,
  requireCompatible,
  requireTarget,
} from '../../migrations/plan-steps.ts';
import { newestVersion, type SchemaVersion } from '../../migrations/schema-version.ts';
import type { Step, StepSet } from '../../migrations/step.ts';
import { readStepSet } from '../../migrations/step-set.ts';
import { type OperationContext, requireSource } from '../operation.ts';
import { withLease, withReader } from '../repository-access.ts';
import { resolveSnapshot } from '../restore/guards.ts';
import {
  type MigratedDatabase,
  type MigrationChoice,
  migratedDatabases,
} from './migrated-databases.ts';
import { versionInSnapshot, versionOfLive } from './schema-of-database.ts';

/** How databases stand to their migrations: nothing of it changes anything. */

export interface StepItem {
  readonly version: string;
  readonly name: string;
  readonly canUndo: boolean;
}

export const stepItem = ({ version, name, down }: Step): StepItem => ({
  version,
  name,
  canUndo: down !== null,
});

/** Null: there is no such database. */
async function liveVersion(
  { source, settings }: MigratedDatabase,
  set: StepSet,
  context: OperationContext,
): Promise<SchemaVersion | null> {
  const path = hostPathOf(source, settings.database);
  if (path === null || (await identify(path)) === null) return null;
  return versionOfLive(path, settings, set, context);
}

const STATES = { known: 'current', newer: 'newer', unknown: 'unknown' } as const;

async function statusOf(
  each: MigratedDatabase,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const { source, settings } = each;
  const { database, directory } = settings;
  const set = await readStepSet(directory);
  const found = await liveVersion(each, set, context);
  const about = { sourceId: source.id, database, directory, steps: set.steps.length };
  const newest = newestVersion(set);
  const none = { version: null, newestVersion: newest, pending: [], changed: [] };
  if (found === null)
    return { ...about, ...none, state: 'missing', message: 'there is no such database' };
  const { backupVersion: version, message } = compatibilityOf(database, found, set);
  if (found.state !== 'known')
    return { ...about, ...none, version, state: STATES[found.state], message };
  const pending = pendingSteps(set, found.version, newest).map(stepItem);
  const changed = (await changedHere(each, set, found.version, context)).map(stepItem);
  const state = pending.length > 0 ? 'older' : STATES.known;
  return { ...about, ...none, version, state, message, pending, changed };
}

export async function changedHere(
  { source, settings: { database } }: MigratedDatabase,
  set: StepSet,
  current: string,
  { settings, activity }: OperationContext,
): Promise<Step[]> {
  const warn = (message: string): void => activity.warn(message);
  const history = await MigrationHistory.openExisting(settings.stateDirectory, warn);
  try {
    return history === null
      ? []
      : changedSteps(set, history.checksums(source.id, database), current);
  } finally {
    history?.close();
  }
}

export async function migrationStatus(
  context: OperationContext,
  choice: MigrationChoice,
): Promise<Record<string, unknown>> {
  const databases: Record<string, unknown>[] = [];
  for (const each of migratedDatabases(context.settings, choice)) {
    context.activity.signal.throwIfAborted();
    databases.push(await statusOf(each, context));
  }
  return { databases };
}

/** @throws SCHEMA_TOO_NEW, INVALID_PARAMS for a target that is no step's, or an unknown version */
export async function pendingMigrations(
  context: OperationContext,
  { target, ...choice }: MigrationChoice & { readonly target?: string | undefined },
): Promise<Record<string, unknown>> {
  const databases: Record<string, unknown>[] = [];
  for (const each of migratedDatabases(context.settings, choice)) {
    const { source, settings } = each;
    const set = await readStepSet(settings.directory);
    if (target !== undefined) requireTarget(set, target);
    const found = await liveVersion(each, set, context);
    const about = { sourceId: source.id, database: settings.database };
    const to = target ?? newestVersion(set);
    if (found === null) {
      databases.push({ ...about, version: null, target: to, pending: [] });
      continue;
    }
    const compatibility = compatibilityOf(settings.database, found, set);
    requireCompatible('migrate', compatibility);
    const version = compatibility.backupVersion!;
    const pending = pendingSteps(set, version, to).map(stepItem);
    databases.push({ ...about, version, target: to, pending });
  }
  return { databases };
}

/**
 * How the databases of a snapshot stand to today's steps, by the versions that they themselves have.
 * @throws SCHEMA_TOO_NEW; INVALID_PARAMS for an unknown version; neither with `force`
 */
export function checkSnapshot(
  context: OperationContext,
  params: {
    readonly snapshotId: string;
    readonly sourceId?: string | undefined;
    readonly force: boolean;
  },
): Promise<Record<string, unknown>> {
  return withReader(context.settings, async (reader) => {
    const { snapshotId, sourceId } = await resolveSnapshot(reader, context, params);
    const source = requireSource(context.settings, sourceId);
    const manifest = await reader.readManifest(snapshotId);
    const held = new Set(manifest.databases.map(({ path }) => path));
    const databases: Compatibility[] = [];
    await withLease(context, snapshotId, 'migration check', async () => {
      for (const settings of source.migrations.filter(({ database }) => held.has(database))) {
        const set = await readStepSet(settings.directory);
        const found = await versionInSnapshot({ reader, snapshotId }, settings, set, context);
        databases.push(compatibilityOf(settings.database, found, set));
      }
    });
    if (!params.force) for (const each of databases) requireCompatible('restore', each);
    const compatible = databases.every((each) => each.compatible);
    const requiresMigration = databases.some((each) => each.requiresMigration);
    return { snapshotId, sourceId, compatible, requiresMigration, databases };
  });
}
