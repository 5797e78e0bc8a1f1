import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { identify } from '../files/entry-identity.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import type { StoreReader } from '../store/store.ts';
import { planDeletions, refuseUnsureMirror } from './mirror.ts';
import { RestorePlanner } from './restore-planner.ts';
import type {
  PlanAction,
  PlannedDeletion,
  PlannedEntry,
  PlanTotals,
  RestorePlan,
  RestoreRequest,
} from './restore-request.ts';
import { findTargetRoots, ownPathGuard, rootPath, type TargetRoot } from './restore-roots.ts';
import { selectEntries } from './snapshot-entries.ts';

export type {
  PlanAction,
  PlannedEntry,
  PlanTotals,
  RestorePlan,
  RestorePlanEntry,
  RestoreRequest,
} from './restore-request.ts';

function totalsOf(
  entries: readonly PlannedEntry[],
  deletions: readonly PlannedDeletion[],
): PlanTotals {
  const count = (action: PlanAction): number =>
    entries.filter((entry) => entry.action === action).length;
  return {
    created: count('create'),
    overwritten: count('overwrite'),
    skipped: count('skip'),
    unchanged: count('unchanged'),
    deleted: deletions.length,
    deletedBytes: deletions.reduce((sum, { bytes }) => sum + bytes, 0),
    bytes: entries
      .filter(({ action }) => action === 'create' || action === 'overwrite')
      .reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

const NAMED_CONFLICTS_MAX = 20;

/** A target directory keeps what stands in it only by being refused: nobody asked to mix old and new. */
function refuseConflicts(request: RestoreRequest, entries: readonly PlannedEntry[]): void {
  if (request.target.type !== 'directory' || request.overwrite !== 'never') return;
  const conflicts = entries.filter(({ action }) => action === 'skip');
  if (conflicts.length === 0) return;
  throw cannot(
    'TARGET_NOT_EMPTY',
    'restore to',
    request.target.path,
    `${conflicts.length} of the files to restore exist there`,
    {
      hint: 'Choose an empty directory, or say what to overwrite.',
      details: {
        conflicts: conflicts.slice(0, NAMED_CONFLICTS_MAX).map(({ target }) => target),
        count: conflicts.length,
      },
    },
  );
}

/** @throws TARGET_NOT_EMPTY for a target directory that holds anything, unless that is allowed */
async function refuseFullDirectory({ target }: RestoreRequest): Promise<void> {
  if (target.type !== 'directory' || target.allowNonEmpty === true) return;
  const names = await readdir(target.path).catch(() => []);
  if (names.length === 0) return;
  throw cannot('TARGET_NOT_EMPTY', 'restore to', target.path, `it holds ${names.length} entries`, {
    hint: 'Choose an empty directory, or allow one that is not: --allow-non-empty.',
    details: { count: names.length },
  });
}

/** The nearest thing that exists at the target root must be a directory. */
async function requireDirectory(path: string): Promise<void> {
  const status = await lstat(path).catch(() => null);
  if (status === null || status.isDirectory()) return;
  throw cannot('NOT_A_DIRECTORY', 'restore to', path, 'it is not a directory');
}

/**
 * What a restore would do, entry by entry; reads the targets and the snapshot, changes nothing.
 * @throws PATH_NOT_FOUND, PATH_UNSAFE, NOT_A_DIRECTORY, TARGET_NOT_EMPTY, NOT_FOUND, LIMIT_EXCEEDED,
 *   VERIFY_FAILED where the snapshot itself is damaged
 */
export async function planRestore(
  request: RestoreRequest,
  reader: StoreReader,
  activity: Activity,
): Promise<RestorePlan> {
  const manifest = await reader.readManifest(request.snapshotId);
  activity.progress({ phase: 'plan', filesDone: 0, totalFiles: null });
  if (request.mirror !== undefined) refuseUnsureMirror(manifest);
  const selections = await selectEntries(reader, manifest, request.classes, request.paths);
  const roots = [...new Set(selections.map(({ root }) => root))];
  const places = await findTargetRoots(roots, request);
  const guard = await ownPathGuard(request);
  const planner = new RestorePlanner(request, reader, activity, manifest, guard);
  for (const selection of selections) {
    const place = places.get(selection.root)!;
    await requireDirectory(place.base);
    await planner.addSelection(selection, place);
  }
  refuseConflicts(request, planner.entries);
  await refuseFullDirectory(request);
  const deletions =
    request.mirror === undefined
      ? []
      : await planDeletions(planner.mirrored, request.mirror, manifest, activity);
  for (const { target } of deletions) guard(target, true);
  return {
    snapshotId: request.snapshotId,
    entries: planner.entries,
    deletions,
    mirrored: planner.mirrored,
    totals: totalsOf(planner.entries, deletions),
    targetRoots: [...new Set(roots.map((root) => rootPath(places.get(root)!)))],
    madeDirectories: await missingDirectories(request, [...places.values()]),
  };
}

/** The levels of each root, from its base down, that do not exist yet. */
async function missingDirectories(
  request: RestoreRequest,
  places: readonly TargetRoot[],
): Promise<{ path: string; mode: number }[]> {
  const mode = request.target.type === 'directory' ? 0o700 : 0o755;
  const levels = new Set<string>();
  for (const { base, prefix } of places) {
    for (let count = 0; count <= prefix.length; count++) {
      levels.add(join(base, ...prefix.slice(0, count)));
    }
  }
  const missing: { path: string; mode: number }[] = [];
  for (const path of levels) if ((await identify(path)) === null) missing.push({ path, mode });
  return missing;
}
