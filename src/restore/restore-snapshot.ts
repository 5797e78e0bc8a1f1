import { dirname } from 'node:path';
import { requireFreeSpace } from '../files/free-space.ts';
import { mountOf } from '../files/mounts.ts';
import { nearestExisting } from '../files/safe-path.ts';
import { chooseStagingDirectory, removeStaging } from '../files/staging.ts';
import { performSwap, type SwapResult } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { shortId } from '../kernel/ids.ts';
import type { StoreReader } from '../store/store.ts';
import { BusyGuard } from './busy-guard.ts';
import { planRestore } from './plan-restore.ts';
import type { RestorePlan, RestorePlanEntry, RestoreRequest } from './restore-request.ts';
import { type StagedRestore, stageRestore } from './stage-restore.ts';

export type { RestorePlan, RestorePlanEntry, RestoreRequest } from './restore-request.ts';

export interface RestoreResult {
  readonly snapshotId: string;
  readonly dryRun: boolean;
  readonly created: number;
  readonly overwritten: number;
  readonly unchanged: number;
  readonly skipped: number;
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

function resultOf(
  plan: RestorePlan,
  staged: StagedRestore | null,
  swap: SwapResult | null,
): RestoreResult {
  const { totals } = plan;
  const entries = plan.entries
    .slice(0, RESULT_ENTRIES_MAX)
    .map(({ logicalPath, target, action, type, bytes, reason }) => ({
      logicalPath,
      target,
      action,
      type,
      bytes,
      ...(reason === undefined ? {} : { reason }),
    }));
  return {
    snapshotId: plan.snapshotId,
    dryRun: staged === null,
    created: totals.created,
    overwritten: totals.overwritten,
    unchanged: totals.unchanged,
    skipped: totals.skipped,
    bytesPlanned: totals.bytes,
    bytesWritten: staged?.bytesWritten ?? 0,
    quarantineId: swap?.quarantineId ?? null,
    swapId: swap?.id ?? null,
    checked: staged?.checked ?? [],
    entries,
    entriesOmitted: plan.entries.length - entries.length,
  };
}

/** One staging directory for every file system the restore writes to. */
class StagingPlaces {
  readonly #request: RestoreRequest;
  readonly #plan: RestorePlan;
  readonly #byMount = new Map<string, string>();
  readonly #byDirectory = new Map<string, string>();

  constructor(request: RestoreRequest, plan: RestorePlan) {
    this.#request = request;
    this.#plan = plan;
  }

  /** Directories made so far. */
  get directories(): string[] {
    return [...this.#byMount.values()];
  }

  async for(target: string): Promise<string> {
    const directory = await nearestExisting(dirname(target));
    const known = this.#byDirectory.get(directory);
    if (known !== undefined) return known;
    const mount = await mountOf(directory);
    let staging = this.#byMount.get(mount.id);
    if (staging === undefined) {
      const { forbiddenPaths, stateDirectory } = this.#request;
      const outside = [...forbiddenPaths, ...this.#plan.targetRoots];
      staging = await chooseStagingDirectory(target, outside, stateDirectory);
      this.#byMount.set(mount.id, staging);
    }
    this.#byDirectory.set(directory, staging);
    return staging;
  }

  async remove(): Promise<void> {
    for (const directory of this.directories) {
      await removeStaging(directory, this.#request.stateDirectory);
    }
  }
}

/** Refuses a restore that would fill a disk: bytes are summed by the file system they go to. */
async function requireSpace(plan: RestorePlan): Promise<void> {
  const needed = new Map<string, { directory: string; bytes: number }>();
  const mounts = new Map<string, { id: string; directory: string }>();
  for (const { action, target, bytes } of plan.entries) {
    if (action !== 'create' && action !== 'overwrite') continue;
    const parent = dirname(target);
    let mount = mounts.get(parent);
    if (mount === undefined) {
      const directory = await nearestExisting(parent);
      mount = { id: (await mountOf(directory)).id, directory };
      mounts.set(parent, mount);
    }
    const sum = needed.get(mount.id) ?? { directory: mount.directory, bytes: 0 };
    needed.set(mount.id, { ...sum, bytes: sum.bytes + bytes });
  }
  for (const { directory, bytes } of needed.values()) {
    await requireFreeSpace(directory, bytes, 'restore to');
  }
}

async function swapIn(
  request: RestoreRequest,
  plan: RestorePlan,
  staged: StagedRestore,
  beforeSwap: () => Promise<void>,
  clock: Clock,
  activity: Activity,
): Promise<SwapResult | null> {
  if (staged.items.length === 0 && staged.directories.length === 0) return null;
  return performSwap(
    {
      stateDirectory: request.stateDirectory,
      reason: 'restore',
      jobId: request.jobId,
      sourceId: request.sourceId,
      note: `restore of snapshot ${shortId(plan.snapshotId)}`,
      items: staged.items,
      directories: staged.directories,
      beforeSwap,
    },
    clock,
    activity,
  );
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
  const guard = new BusyGuard(plan);
  if (request.dryRun) {
    for (const { path, users } of await guard.findUsed()) {
      const pids = users.map(({ pid }) => pid).join(', ');
      activity.warn(`"${path}" is open in ${pids}: the restore would be refused`);
    }
    return resultOf(plan, null, null);
  }
  await guard.requireFree();
  await requireSpace(plan);
  const places = new StagingPlaces(request, plan);
  try {
    const stagingOf = (target: string): Promise<string> => places.for(target);
    const stage = { reader, activity, check: request.check };
    const staged = await stageRestore(plan, stagingOf, stage);
    await guard.requireFree();
    await request.beforeSwap?.(plan);
    activity.signal.throwIfAborted();
    const hold = (): Promise<void> => guard.hold(stagingOf);
    const swap = await swapIn(request, plan, staged, hold, clock, activity);
    return resultOf(plan, staged, swap);
  } finally {
    guard.release();
    await places.remove();
  }
}
