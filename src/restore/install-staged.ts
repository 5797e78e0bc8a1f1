import {
  performSwap,
  type SwapDirectory,
  type SwapItem,
  type SwapResult,
} from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, messageOf, toErrorDocument } from '../kernel/errors.ts';
import type { BusyGuard } from './busy-guard.ts';
import type { StagingPlaces } from './staging-places.ts';
import { directoriesAsTheyAre, itemsToUndo } from './undo-install.ts';

const NAMED_TARGETS_MAX = 20;

/** Everything staged and checked, and what is to happen around the swap. */
export interface Installation {
  readonly stateDirectory: string;
  readonly jobId: string | null;
  readonly sourceId: string | null;
  readonly note: string;
  readonly items: readonly SwapItem[];
  readonly directories: readonly SwapDirectory[];
  /** Before anything is locked. */
  readonly beforeSwap?: () => Promise<void>;
  /** When everything is in place and unlocked: a rejection puts the old state back. */
  readonly afterSwap?: () => Promise<void>;
}

/**
 * Swaps a staged restore in while nobody has its databases open. Null when there was nothing to swap.
 * @throws TARGET_BUSY, what performSwap throws, and what `afterSwap` rejects with once the old state is back
 */
export async function installStaged(
  installation: Installation,
  guard: BusyGuard,
  places: StagingPlaces,
  clock: Clock,
  activity: Activity,
): Promise<SwapResult | null> {
  const { items, directories, beforeSwap, afterSwap } = installation;
  await guard.requireFree();
  await beforeSwap?.();
  activity.signal.throwIfAborted();
  if (items.length === 0 && directories.length === 0) return null;
  const before = await directoriesAsTheyAre(directories, items);
  const whole = asOneSection(activity);
  try {
    const swap = await swapUnderGuard(installation, guard, places, clock, whole);
    try {
      await afterSwap?.();
      return swap;
    } catch (error) {
      const undone = { ...installation, directories: before, note: `undo: ${installation.note}` };
      return await undoSwap(undone, swap, error, guard, places, clock, whole);
    }
  } finally {
    activity.setCancellable(true);
  }
}

/** From the first change to the last look nothing is cut short: what was begun is done, or undone. */
function asOneSection(activity: Activity): Activity {
  let entered = false;
  return {
    ...activity,
    setCancellable(cancellable) {
      if (cancellable || entered) return;
      activity.setCancellable(false);
      entered = true;
    },
  };
}

async function swapUnderGuard(
  { stateDirectory, jobId, sourceId, note, items, directories }: Installation,
  guard: BusyGuard,
  places: StagingPlaces,
  clock: Clock,
  activity: Activity,
): Promise<SwapResult> {
  const beforeSwap = (): Promise<void> => guard.hold((target) => places.for(target));
  const about = { stateDirectory, reason: 'restore', jobId, sourceId, note } as const;
  try {
    return await performSwap({ ...about, items, directories, beforeSwap }, clock, activity);
  } finally {
    guard.release();
  }
}

/** Puts the old state back, then rejects with why. */
async function undoSwap(
  installation: Installation,
  swap: SwapResult,
  reason: unknown,
  guard: BusyGuard,
  places: StagingPlaces,
  clock: Clock,
  activity: Activity,
): Promise<never> {
  const { stateDirectory, sourceId } = installation;
  const undo = { stateDirectory, swap, places, activity };
  const undone = await itemsToUndo(installation.items, undo)
    .then((items) => swapUnderGuard({ ...installation, items }, guard, places, clock, activity))
    .catch((error: unknown) => {
      throw cannot('RECOVERY_FAILED', 'put back', sourceId ?? '', messageOf(error), {
        hint: `What was restored is in place; the old state lies in quarantine ${swap.quarantineId ?? ''}.`,
        details: { failed: messageOf(reason), quarantineId: swap.quarantineId },
        cause: error,
      });
    });
  const { code, hint, details } = toErrorDocument(reason);
  const targets = installation.items.slice(0, NAMED_TARGETS_MAX).map(({ target }) => target);
  const state = `${messageOf(reason)}; the old state was put back`;
  throw cannot(code, 'restore', sourceId ?? '', state, {
    hint: hint ?? 'What was restored lies in quarantine.',
    details: { ...details, putBack: targets, rejectedQuarantineId: undone.quarantineId },
    cause: reason,
  });
}
