import { basename, dirname, join } from 'node:path';
import { identify } from '../files/entry-identity.ts';
import { realpathOfPlanned } from '../files/safe-path.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { looksLikeDatabase } from './compare-target.ts';
import type { PlannedEntry, RestorePlan, RestoreRequest } from './restore-request.ts';
import { ownPathGuard, ownRestores } from './restore-roots.ts';
import { executePlan, type RestoreResult } from './restore-snapshot.ts';
import { selectEntries } from './snapshot-entries.ts';

/** One file of a snapshot, to one place. */
export interface FileRestore
  extends Pick<
    RestoreRequest,
    'snapshotId' | 'sourceId' | 'check' | 'forbiddenPaths' | 'stateDirectory' | 'jobId'
  > {
  /** Logical, literal. */
  readonly path: string;
  /** Absolute; its directory exists. Null: by its own path below `<state>/restores/<job>/`. */
  readonly to: string | null;
  /** Something that stands there may be replaced; it goes to quarantine. */
  readonly overwrite: boolean;
}

/** @throws PATH_NOT_FOUND, NOT_A_DIRECTORY */
async function placeOf(to: string): Promise<string> {
  const parent = await realpathOfPlanned(dirname(to));
  const found = await identify(parent);
  if (found === null)
    throw cannot('PATH_NOT_FOUND', 'restore to', to, 'its directory does not exist');
  if (found.kind !== 'directory') {
    throw cannot('NOT_A_DIRECTORY', 'restore to', to, 'its parent is not a directory');
  }
  return join(parent, basename(to));
}

async function fileEntry(request: FileRestore, reader: StoreReader): Promise<TreeEntry> {
  const manifest = await reader.readManifest(request.snapshotId);
  const [selection] = await selectEntries(reader, manifest, [], [request.path]);
  const { entry } = selection!;
  if (entry.type !== 'directory') return entry;
  throw cannot('INVALID_PARAMS', 'restore file', request.path, 'it is a directory', {
    hint: 'Restore it with its files: holdfast restore --path.',
  });
}

async function planFile(
  request: FileRestore,
  entry: TreeEntry,
  target: string,
): Promise<RestorePlan> {
  const now = await identify(target);
  if (now !== null && (!request.overwrite || now.kind === 'directory' || now.kind === 'special')) {
    const state = now.kind === 'file' ? 'it exists' : `a ${now.kind} stands there`;
    throw cannot('TARGET_NOT_EMPTY', 'restore to', target, state, {
      hint: 'Choose another name, or ask for overwrite; a directory is never replaced.',
    });
  }
  const replacesDatabase = now?.kind === 'file' && (await looksLikeDatabase(target));
  const bytes = entry.type === 'symlink' || entry.type === 'directory' ? 0 : entry.content.bytes;
  const planned: PlannedEntry = {
    logicalPath: request.path,
    target,
    action: now === null ? 'create' : 'overwrite',
    type: entry.type,
    bytes,
    entry,
    insideNew: false,
    family: entry.type === 'database' || (entry.type === 'file' && replacesDatabase),
    setsMetadata: false,
    isRoot: false,
  };
  const created = now === null ? 1 : 0;
  const none = { skipped: 0, unchanged: 0, deleted: 0, deletedBytes: 0 };
  return {
    snapshotId: request.snapshotId,
    entries: [planned],
    deletions: [],
    mirrored: [],
    totals: { created, overwritten: 1 - created, bytes, ...none },
    targetRoots: [dirname(target)],
    madeDirectories: [],
  };
}

/**
 * Brings one file, symlink or database back, whole and checked, by one rename.
 * @throws PATH_NOT_FOUND, PATH_UNSAFE, NOT_A_DIRECTORY, TARGET_NOT_EMPTY where something stands and `overwrite` is
 *   not set, INVALID_PARAMS for a directory, and what executePlan throws
 */
export async function restoreFile(
  request: FileRestore,
  reader: StoreReader,
  activity: Activity,
  clock: Clock,
): Promise<RestoreResult> {
  const entry = await fileEntry(request, reader);
  const { stateDirectory, path, jobId } = request;
  const whole: RestoreRequest = {
    ...request,
    // Ownership is never given away: the file goes to whoever asked.
    target: { type: 'directory', path: '' },
    paths: [path],
    classes: [],
    overwrite: 'always',
    dryRun: false,
  };
  const guard = await ownPathGuard(whole);
  const target =
    request.to === null
      ? join(
          ownRestores(await realpathOfPlanned(stateDirectory)),
          jobId ?? 'file',
          ...path.split('/'),
        )
      : await placeOf(request.to);
  guard(target, true);
  const plan = await planFile(request, entry, target);
  return executePlan(plan, whole, reader, activity, clock);
}
