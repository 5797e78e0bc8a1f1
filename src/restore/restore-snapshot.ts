import type { SwapResult } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { shortId } from '../kernel/ids.ts';
import type { StoreReader } from '../store/store.ts';
import { BusyGuard } from './busy-guard.ts';
import { installStaged } from './install-staged.ts';
import { planRestore } from './plan-restore.ts';
import type { RestorePlan, RestorePlanEntry, RestoreRequest } from './restore-request.ts';
import { restoresOwners } from './restored-metadata.ts';
import { type StagedRestore, stageRestore } from './stage-restore.ts';
import { requireSpace, StagingPlaces } from './staging-places.ts';

export type { RestorePlan, RestorePlanEntry, RestoreRequest } from './restore-request.ts';

export interface RestoreResult {
  readonly snapshotId: string;
  readonly dryRun: boolean;
  readonly created: number;
  readonly overwritten: number;
  readonly unchanged: number;
  readonly skipped: number;
  /** What a mirror moves to quarantine. */
  readonly deleted: number;
  readonly deletedBytes: number;
  /** Plaintext bytes the plan writes. */
  readonly bytesPlanned: number;
  /** Plaintext bytes written; 0 in a dry run. */
  readonly bytesWritten: number;
  /** Where the originals are kept; null when nothing was replaced. */
  readonly quarantineId: string | null;
  /** Null when nothing had to be changed. */
  readonly swapId: string | null;
  readonly checked: readonly { readonly path: string; readonly ok: boolean }[];
  /** The first RESULT_ENTRIES_MAX of the plan. */
  readonly entries: readonly RestorePlanEntry[];
  readonly entriesOmitted: number;
}

export const RESULT_ENTRIES_MAX = 1_000;

/** The first entries of a plan, deletions first: they are what nobody must overlook. */
function planEntries({ entries, deletions }: RestorePlan, countMax: number): RestorePlanEntry[] {
  const removed = deletions.slice(0, countMax).map(({ logicalPath, target, type, bytes }) => ({
    logicalPath,
    target,
    action: 'delete' as const,
    type,
    bytes,
  }));
  const others = entries
    .slice(0, countMax - removed.length)
    .map(({ logicalPath, target, action, type, bytes, reason }) => ({
      logicalPath,
      target,
      action,
      type,
      bytes,
      ...(reason === undefined ? {} : { reason }),
    }));
  return [...removed, ...others];
}

function resultOf(
  plan: RestorePlan,
  staged: StagedRestore | null,
  swap: SwapResult | null,
): RestoreResult {
  const { totals } = plan;
  const entries = planEntries(plan, RESULT_ENTRIES_MAX);
  return {
    snapshotId: plan.snapshotId,
    dryRun: staged === null,
    created: totals.created,
    overwritten: totals.overwritten,
    unchanged: totals.unchanged,
    skipped: totals.skipped,
    deleted: totals.deleted,
    deletedBytes: totals.deletedBytes,
    bytesPlanned: totals.bytes,
    bytesWritten: staged?.bytesWritten ?? 0,
    quarantineId: swap?.quarantineId ?? null,
    swapId: swap?.id ?? null,
    checked: staged?.checked ?? [],
    entries,
    entriesOmitted: plan.entries.length + plan.deletions.length - entries.length,
  };
}

/** Stages what the plan writes, and swaps it in. */
export async function executePlan(
  plan: RestorePlan,
  request: RestoreRequest,
  reader: StoreReader,
  activity: Activity,
  clock: Clock,
): Promise<RestoreResult> {
  const { stateDirectory, forbiddenPaths, jobId, sourceId } = request;
  const guard = BusyGuard.forPlan(plan);
  await guard.requireFree();
  await requireSpace(plan);
  const places = new StagingPlaces({
    stateDirectory,
    outside: [...forbiddenPaths, ...plan.targetRoots],
  });
  try {
    const owners = restoresOwners(request.target);
    const { check, onDatabaseStaged } = request;
    const stage = { reader, activity, check, owners, onDatabaseStaged };
    const staged = await stageRestore(plan, (target) => places.for(target), stage);
    const { beforeSwap, afterSwap } = request;
    const installation = {
      stateDirectory,
      jobId,
      sourceId,
      note: `restore of snapshot ${shortId(plan.snapshotId)}`,
      items: staged.items,
      directories: staged.directories,
      ...(beforeSwap === undefined ? {} : { beforeSwap: () => beforeSwap(plan) }),
      ...(afterSwap === undefined ? {} : { afterSwap: () => afterSwap(plan) }),
    };
    const swap = await installStaged(installation, guard, places, clock, activity);
    return resultOf(plan, staged, swap);
  } finally {
    await places.remove();
  }
}

/**
 * Brings a snapshot, or part of it, back: plan, stage and check beside the target, then swap everything in at
 * once. Whatever fails before the swap's commit leaves the target as it was; originals of what was replaced are
 * kept in quarantine.
 * @throws what planRestore throws; TARGET_BUSY while a database to be replaced is in use, NO_SPACE,
 *   VERIFY_FAILED when a chunk or a staged database is damaged, and what performSwap throws
 */
export async function restoreSnapshot(
  request: RestoreRequest,
  reader: StoreReader,
  activity: Activity,
  clock: Clock,
): Promise<RestoreResult> {
  const plan = await planRestore(request, reader, activity);
  await request.inspectPlan?.(plan);
  if (!request.dryRun) return executePlan(plan, request, reader, activity, clock);
  for (const { path, users } of await BusyGuard.forPlan(plan).findUsed()) {
    const pids = users.map(({ pid }) => pid).join(', ');
    activity.warn(`"${path}" is open in ${pids}: the restore would be refused`);
  }
  return resultOf(plan, null, null);
}
