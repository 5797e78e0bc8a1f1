import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { writeFileDurably } from '../files/durable.ts';
import { type EntryIdentity, identify } from '../files/entry-identity.ts';
import { isInside, resolveBelow } from '../files/safe-path.ts';
import type { SwapItem, SwapResult } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, HoldfastError, toErrorDocument } from '../kernel/errors.ts';
import { BusyGuard } from './busy-guard.ts';
import { looksLikeDatabase, newestWriteNs } from './compare-target.ts';
import { installStaged } from './install-staged.ts';
import { planDeletions } from './mirror.ts';
import {
  APPLY_ATTEMPTS_MAX,
  appliedMarkPath,
  type PendingItem,
  type PendingRestore,
  pendingPath,
  removePending,
  writePending,
} from './pending-restore.ts';
import type { LiveListing, PlannedDeletion } from './restore-request.ts';
import { StagingPlaces } from './staging-places.ts';

/** What applying a staged restore comes to, given what stands at its targets now. */
interface Application {
  readonly items: readonly PendingItem[];
  readonly deletions: readonly PlannedDeletion[];
  /** Logical paths of what is replaced or removed. */
  readonly touched: readonly string[];
}

export interface ApplyContext {
  readonly stateDirectory: string;
  readonly jobId: string | null;
  readonly forbiddenPaths: readonly string[];
  /** Roots of the source as they are configured now. */
  readonly roots: readonly string[];
  /** For a mirror. */
  readonly listing: LiveListing;
  /** Snapshots what is about to be replaced. */
  readonly checkpoint: (logicalPaths: readonly string[]) => Promise<void>;
  /** When everything is in place: a rejection puts the old state back. */
  readonly prove: (databases: readonly string[]) => Promise<void>;
}

/** No parent may have become a symlink since. @throws PATH_UNSAFE */
async function requireSafe({ targetRoots }: PendingRestore, target: string): Promise<void> {
  const root = targetRoots.find((each) => isInside(target, each));
  if (root === undefined) throw cannot('PATH_UNSAFE', 'restore', target, 'it lies in no root');
  if (target !== root) await resolveBelow(root, relative(root, target).split(sep));
}

async function keepsTarget(
  { overwrite }: PendingRestore,
  { target, staged }: PendingItem,
  now: EntryIdentity,
): Promise<boolean> {
  if (overwrite === 'never') return true;
  if (overwrite !== 'if-newer') return false;
  const own = await identify(staged);
  return own !== null && BigInt(own.mtimeNs) <= (await newestWriteNs(target, now));
}

async function requireReplaceable(target: string, now: EntryIdentity): Promise<void> {
  if (now.kind === 'special') {
    throw cannot('PATH_UNSAFE', 'restore', target, 'a device, a pipe or a socket stands there');
  }
  if (now.kind !== 'directory' || (await readdir(target)).length === 0) return;
  throw cannot('TARGET_NOT_EMPTY', 'restore', target, 'a directory that holds something is there', {
    hint: 'Move it away, then apply the restore again.',
  });
}

/** The item as it can be swapped in now: a directory that exists meanwhile keeps what is in it. */
async function itemsNow(pending: PendingRestore, item: PendingItem): Promise<PendingItem[]> {
  const { target, staged, logicalPath, type } = item;
  await requireSafe(pending, target);
  const now = await identify(target);
  if (now === null) return [item];
  if (type === 'directory' && now.kind === 'directory') {
    const items: PendingItem[] = [];
    for (const name of (await readdir(staged)).sort()) {
      const path = join(staged, name);
      const inner = {
        target: join(target, name),
        staged: path,
        logicalPath: `${logicalPath}/${name}`,
      };
      items.push(...(await itemsNow(pending, { ...inner, ...(await kindOfStaged(path)) })));
    }
    return items;
  }
  if (await keepsTarget(pending, item, now)) return [];
  await requireReplaceable(target, now);
  const replacesDatabase = now.kind === 'file' && (await looksLikeDatabase(target));
  return [{ ...item, family: item.family || (type === 'file' && replacesDatabase) }];
}

async function kindOfStaged(path: string): Promise<Pick<PendingItem, 'type' | 'family'>> {
  const kind = (await identify(path))?.kind;
  if (kind === 'directory' || kind === 'symlink') return { type: kind, family: false };
  const family = await looksLikeDatabase(path);
  return { type: family ? 'database' : 'file', family };
}

async function applicationOf(
  pending: PendingRestore,
  { roots, listing }: ApplyContext,
  activity: Activity,
): Promise<Application> {
  const outside = pending.targetRoots.find((root) => !roots.includes(root));
  if (outside !== undefined) {
    throw cannot(
      'NOT_FOUND',
      'apply staged restore to',
      outside,
      'the source has no such root now',
    );
  }
  const items: PendingItem[] = [];
  for (const item of pending.items) items.push(...(await itemsNow(pending, item)));
  const skipped = pending.skipped.map((path) => ({ path, reason: 'excluded' as const }));
  const deletions = await planDeletions(pending.mirrored, listing, { skipped }, activity);
  const touched: string[] = [];
  for (const { target, logicalPath } of items) {
    if ((await identify(target)) !== null) touched.push(logicalPath);
  }
  for (const { insideDeleted, logicalPath } of deletions) {
    if (!insideDeleted) touched.push(logicalPath);
  }
  return { items, deletions, touched };
}

/** The mark that the swap itself puts in place: there exactly when the rest is. */
async function markItem(stateDirectory: string, id: string): Promise<SwapItem> {
  const target = appliedMarkPath(stateDirectory, id);
  const staged = `${target}.staged`;
  await writeFileDurably(staged, 'applied\n');
  return { target, staged, family: false };
}

async function install(
  pending: PendingRestore,
  { items, deletions, touched }: Application,
  context: ApplyContext,
  clock: Clock,
  activity: Activity,
): Promise<SwapResult | null> {
  const { stateDirectory, jobId, forbiddenPaths, checkpoint, prove } = context;
  const families = [...items, ...deletions].filter(({ family }) => family);
  const guard = new BusyGuard(families.map(({ target }) => target));
  const outside = [...forbiddenPaths, ...pending.targetRoots];
  const places = new StagingPlaces({ stateDirectory, outside });
  const databases = items.filter(({ type }) => type === 'database');
  try {
    return await installStaged(
      {
        stateDirectory,
        jobId,
        sourceId: pending.sourceId,
        note: `staged restore ${pending.id}`,
        items: [
          ...items.map(({ target, staged, family }) => ({ target, staged, family })),
          ...deletions
            .filter(({ insideDeleted }) => !insideDeleted)
            .map(({ target, family }) => ({ target, staged: null, family })),
          await markItem(stateDirectory, pending.id),
        ],
        directories: pending.directories,
        beforeSwap: () => checkpoint(touched),
        afterSwap: () => prove(databases.map(({ logicalPath }) => logicalPath)),
      },
      guard,
      places,
      clock,
      activity,
    );
  } finally {
    await places.remove();
  }
}

/** Once it was in place and was undone, it lies in quarantine. */
async function isUsedUp({ items }: PendingRestore): Promise<boolean> {
  for (const { staged } of items) if ((await identify(staged)) === null) return true;
  return false;
}

/** A target that is in use is no failure of the restore: it waits on. */
const isBusy = (error: unknown): boolean =>
  error instanceof HoldfastError && ['TARGET_BUSY', 'REPO_LOCKED'].includes(error.code);

/**
 * Puts a staged restore in place, and forgets it. Each attempt is written down before it begins; a failed one
 * leaves the old state in place and says why in the record.
 * @throws TARGET_BUSY, which counts as no attempt; PATH_UNSAFE, TARGET_NOT_EMPTY, NOT_FOUND, and what `checkpoint`
 *   and `prove` reject with
 */
export async function applyPending(
  pending: PendingRestore,
  context: ApplyContext,
  clock: Clock,
  activity: Activity,
): Promise<{ swap: SwapResult | null; application: Application }> {
  const { stateDirectory } = context;
  if (await isUsedUp(pending)) {
    const state = 'what was staged was put in place, and put back out of it';
    throw cannot('NOT_FOUND', 'apply staged restore', pending.id, state, {
      hint: 'Stage it again, or cancel it.',
    });
  }
  const attempt = { ...pending, state: 'applying' as const, attempts: pending.attempts + 1 };
  await writePending(stateDirectory, attempt);
  try {
    const application = await applicationOf(pending, context, activity);
    const swap = await install(pending, application, context, clock, activity);
    await removePending(stateDirectory, pending.id);
    return { swap, application };
  } catch (error) {
    // Cancelled by hand meanwhile: then it stays cancelled.
    if ((await identify(pendingPath(stateDirectory, pending.id))) !== null) {
      const attempts = isBusy(error) ? pending.attempts : attempt.attempts;
      const hopeless = attempts >= APPLY_ATTEMPTS_MAX || (await isUsedUp(pending));
      const state = hopeless ? 'failed' : 'staged';
      const lastError = toErrorDocument(error);
      await writePending(stateDirectory, { ...pending, attempts, state, lastError });
    }
    throw error;
  }
}
