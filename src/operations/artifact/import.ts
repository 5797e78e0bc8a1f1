import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Freshness, freshnessOf } from '../../artifacts/portable/freshness.ts';
import { type ArtifactManifest, parseManifest } from '../../artifacts/portable/manifest.ts';
import { type FoundArtifact, verifyArtifact } from '../../artifacts/portable/verify-artifact.ts';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { chooseStagingDirectory, removeStaging } from '../../files/staging.ts';
import { cannot } from '../../kernel/errors.ts';
import { type FamilyStat, statFamily } from '../../sqlite/family.ts';
import { type MigrationOutcome, settleMigrations } from '../migrate/migrate-staged.ts';
import { type OperationContext, ownPaths } from '../operation.ts';
import {
  type DatabaseReplaced,
  databasePlace,
  replaceDatabase,
} from '../restore/replace-database.ts';
import { type ArtifactImport, buildProven, type VerifiedArtifact } from './build.ts';
import { verifyKeysOf } from './keys.ts';

export interface ImportedArtifact {
  readonly artifact: string;
  readonly database: string;
  readonly path: string;
  readonly manifest: ArtifactManifest;
  readonly migration: MigrationOutcome;
  /** As a restore says it. */
  readonly checked: readonly { readonly path: string; readonly ok: boolean }[];
  readonly quarantineId: string | null;
  readonly preRestoreSnapshotId: string | null;
}

/** Of how the family stood when its freshness was judged: if it still does at the swap, the judgement holds. */
interface Place extends Freshness {
  readonly path: string;
  readonly before: FamilyStat;
}

const BUSY_TIMEOUT_MS = 5_000;

/** @throws IO_ERROR, PATH_UNSAFE, NOT_FOUND */
export async function judgePlace(
  { settings, activity, clock, scratchDirectory }: OperationContext,
  source: SourceSettings,
  { database, fresh }: ArtifactSettings,
): Promise<Place> {
  const forbidden = [...ownPaths(settings), settings.stateDirectory];
  const path = await databasePlace({ source, database }, forbidden);
  const before = await statFamily(path);
  const { signal } = activity;
  const pins = { scratchDirectory, timeoutMs: BUSY_TIMEOUT_MS, clock, signal };
  return { path, before, ...(await freshnessOf(path, fresh, pins)) };
}

function refuseUsed({ path, state }: Place): Error {
  return cannot('NOT_FRESH', 'import into', path, state, {
    hint: 'Force it to replace what is there; a snapshot of that is taken first.',
    details: { path, state },
  });
}

/** Copies the payload while it is read, and takes the artifact through all gates. @throws VERIFY_FAILED, SCHEMA_TOO_NEW, NO_SPACE */
async function bringVerified(
  { settings: own, activity }: OperationContext,
  found: FoundArtifact,
  { settings, force }: ArtifactImport,
  directory: string,
): Promise<VerifiedArtifact> {
  const { name } = found;
  const payloadPath = join(directory, 'payload');
  await requireFreeSpace(directory, parseManifest(found.manifestText, name).bytes, 'import into');
  const keys = await verifyKeysOf(own);
  const options = { keys, settings, force, copyTo: payloadPath, activity };
  return { name, manifest: await verifyArtifact(found, options), payloadPath };
}

/** The safety snapshot cannot be turned off: what is forced may replace anything. */
function install(
  context: OperationContext,
  { source, settings, force }: ArtifactImport,
  place: Place,
  stagedPath: string,
  name: string,
): Promise<DatabaseReplaced> {
  return replaceDatabase(context, {
    source,
    database: settings.database,
    stagedPath,
    origin: 'pre-restore',
    note: `import of ${basename(name)}`,
    checkpoint: force,
    // The very file passed the full check before.
    check: 'quick',
    // What is not forced only takes the place of what was seen to be fresh.
    ...(force ? {} : { expected: place.before }),
  });
}

/** @throws NOT_FRESH */
async function requireFresh(context: OperationContext, request: ArtifactImport): Promise<Place> {
  const place = await judgePlace(context, request.source, request.settings);
  if (place.fresh || request.force) return place;
  throw refuseUsed(place);
}

/**
 * verify → fresh → build → migrate → sanity → swap. Whatever fails leaves the place as it was and nothing beside it.
 * @throws VERIFY_FAILED with `details.gate`, NOT_FRESH, SCHEMA_TOO_NEW, SANITY_FAILED, TARGET_BUSY, NO_SPACE
 */
export async function importArtifact(
  context: OperationContext,
  found: FoundArtifact,
  request: ArtifactImport,
): Promise<ImportedArtifact> {
  const { source, settings } = request;
  const { database } = settings;
  const { stateDirectory } = context.settings;
  const outside = [...ownPaths(context.settings), ...source.roots.map((root) => root.path)];
  const { path } = await judgePlace(context, source, settings);
  const staging = await chooseStagingDirectory(path, outside, stateDirectory);
  const directory = join(staging, 'artifact');
  let isInstalled = false;
  try {
    await mkdir(directory, { mode: 0o700 });
    const artifact = await bringVerified(context, found, request, directory);
    const place = await requireFresh(context, request);
    const { path: built, migration } = await buildProven(context, artifact, request, directory);
    const replaced = await install(context, request, place, built, artifact.name);
    isInstalled = true;
    context.activity.log(`${path} is made of ${artifact.name}`);
    const { quarantineId, preRestoreSnapshotId } = replaced;
    const { name, manifest } = artifact;
    const checked = [{ path: database, ok: true }];
    const about = { artifact: name, database, path, manifest, migration, checked };
    return { ...about, quarantineId, preRestoreSnapshotId };
  } finally {
    await settleMigrations(context, isInstalled);
    await rm(directory, { recursive: true, force: true });
    await removeStaging(staging, stateDirectory);
  }
}
