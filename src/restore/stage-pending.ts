import { keepStaging } from '../files/staging.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import type { StoreReader } from '../store/store.ts';
import {
  listPending,
  type PendingItem,
  type PendingRestore,
  pendingPath,
  removePending,
  writePending,
} from './pending-restore.ts';
import { planRestore } from './plan-restore.ts';
import type { RestorePlan, RestoreRequest } from './restore-request.ts';
import { restoresOwners } from './restored-metadata.ts';
import { type StagedRestore, stageRestore } from './stage-restore.ts';
import { requireSpace, StagingPlaces } from './staging-places.ts';

/** The record names each of them; more belong into a restore that is run at once. */
const ENTRIES_MAX = 200_000;

export type StageChoices = Pick<
  PendingRestore,
  'id' | 'sourceId' | 'mode' | 'checkpoint' | 'applyWhen' | 'stagedAt' | 'stagedBy'
> & {
  /** Takes the place of one that waits for the same source. */
  readonly replacePending: boolean;
};

/** @throws ALREADY_PENDING */
async function requireNoOther(
  stateDirectory: string,
  { sourceId, replacePending }: StageChoices,
): Promise<PendingRestore[]> {
  const others = (await listPending(stateDirectory)).filter((each) => each.sourceId === sourceId);
  const [other] = others;
  if (other === undefined || replacePending) return others;
  throw cannot('ALREADY_PENDING', 'stage a restore of', sourceId, `${other.id} is staged already`, {
    hint: 'Apply it, cancel it, or ask for this one to take its place.',
    details: { id: other.id, snapshotId: other.snapshotId },
  });
}

function itemsOf({ entries }: RestorePlan, { items }: StagedRestore): PendingItem[] {
  const planned = new Map(entries.map((entry) => [entry.target, entry]));
  return items.flatMap(({ target, staged, family }) => {
    const entry = planned.get(target);
    if (staged === null || entry === undefined) return [];
    return [{ target, staged, family, type: entry.type, logicalPath: entry.logicalPath }];
  });
}

/**
 * Extracts and checks a restore in place, on the file systems of its targets, and writes down that it waits. From
 * then on it needs neither the snapshot nor the repository.
 * @throws ALREADY_PENDING, LIMIT_EXCEEDED, NO_SPACE, VERIFY_FAILED, and what planRestore throws
 */
export async function stagePending(
  request: RestoreRequest,
  choices: StageChoices,
  reader: StoreReader,
  activity: Activity,
): Promise<PendingRestore> {
  const { stateDirectory, forbiddenPaths, snapshotId, paths, classes, overwrite } = request;
  const { replacePending, ...about } = choices;
  const others = await requireNoOther(stateDirectory, choices);
  const plan = await planRestore({ ...request, stageAll: true }, reader, activity);
  await request.inspectPlan?.(plan);
  if (plan.entries.length > ENTRIES_MAX) {
    const state = `it has ${plan.entries.length} entries, and ${ENTRIES_MAX} are the most`;
    throw cannot('LIMIT_EXCEEDED', 'stage a restore of', choices.sourceId, state);
  }
  await requireSpace(plan);
  const outside = [...forbiddenPaths, ...plan.targetRoots];
  const places = new StagingPlaces({ stateDirectory, outside });
  try {
    const stage = {
      reader,
      activity,
      check: request.check,
      owners: restoresOwners(request.target),
      onDatabaseStaged: request.onDatabaseStaged,
    };
    const staged = await stageRestore(plan, (target) => places.for(target), stage);
    const { skipped } = await reader.readManifest(snapshotId);
    const record = pendingPath(stateDirectory, choices.id);
    for (const path of places.directories) await keepStaging(path, stateDirectory, record);
    const pending: PendingRestore = {
      ...about,
      snapshotId,
      paths,
      classes,
      overwrite,
      bytes: staged.bytesWritten,
      state: 'staged',
      attempts: 0,
      lastError: null,
      targetRoots: plan.targetRoots,
      stagingDirectories: places.directories,
      items: itemsOf(plan, staged),
      directories: staged.directories,
      mirrored: plan.mirrored,
      skipped: skipped.map(({ path }) => path),
      checked: staged.checked.map(({ path }) => path),
    };
    activity.signal.throwIfAborted();
    await writePending(stateDirectory, pending);
    for (const { id } of others) await removePending(stateDirectory, id);
    return pending;
  } catch (error) {
    await places.remove();
    throw error;
  }
}
