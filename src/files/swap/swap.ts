import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import {
  cannot,
  diskFailure,
  HoldfastError,
  messageOf,
  systemCode,
  toErrorDocument,
} from '../../kernel/errors.ts';
import { makeDirectory } from '../durable.ts';
import { changeUpToCommit, copyOriginals, finishSwap } from './forward.ts';
import {
  type SwapJournal,
  swapsHome,
  withdrawCommit,
  writeCommit,
  writeJournal,
} from './journal.ts';
import { lockSwaps } from './lock.ts';
import { prepareJournal } from './prepare.ts';
import { checkSwapRequest, type SwapRequest } from './request.ts';
import { rollBackSwap } from './rollback.ts';

export { hasBegunSwaps, type SwapDirectory } from './journal.ts';
export type { SwapItem, SwapRequest } from './request.ts';
export { type ResumedSwap, resumeSwaps } from './resume-swaps.ts';

/**
 * Puts a set of files, symlinks, directories and database families in place of others: all of them or none,
 * whatever happens in between.
 *
 *   journal (durable) → copies, where the quarantine is on another file system → the caller's locks
 *   → missing parents → every original gets a second name in quarantine
 *   → databases blocked, their sidecars taken away → everything else put in place
 *   → commit record → databases put in place, each by one rename → metadata, record, journal removed
 *
 * A database's name is blocked by a symlink to nowhere: an application that starts at that moment cannot open
 * it, so that it never sees the main file without its WAL, nor a new file beside an old WAL. A set of one
 * rename needs no blocking: the rename is its own commit record.
 */
export interface SwapResult {
  readonly id: string;
  /** Null when nothing was replaced or removed. */
  readonly quarantineId: string | null;
  readonly replaced: number;
  readonly created: number;
  readonly removed: number;
}

/** What went wrong, in terms of the swap: by the time it is thrown everything is as it was. */
function undoneError(error: unknown, journal: SwapJournal): unknown {
  if (
    error instanceof HoldfastError ||
    (error as { name?: string } | null)?.name === 'AbortError'
  ) {
    return error;
  }
  const { code, retryable } = toErrorDocument(error);
  const first = journal.items[0]?.target ?? '';
  return cannot(code, 'swap', first, `${messageOf(error)}; everything was put back`, {
    retryable,
    details: { system: systemCode(error) ?? null, items: journal.items.length },
    cause: error,
  });
}

async function undo(stateDirectory: string, journal: SwapJournal, error: unknown): Promise<never> {
  try {
    await withdrawCommit(stateDirectory, journal.id);
    await rollBackSwap(stateDirectory, journal);
  } catch (undoing) {
    throw cannot(diskFailure(undoing) ?? 'IO_ERROR', 'undo swap', journal.id, messageOf(undoing), {
      hint: 'The originals are safe in quarantine; they are put back as soon as the disk lets it be.',
      details: { failed: messageOf(error) },
      cause: undoing,
    });
  }
  throw undoneError(error, journal);
}

function countsOf(journal: SwapJournal): Pick<SwapResult, 'replaced' | 'created' | 'removed'> {
  const existed = journal.items.map(({ members, staged }) => ({
    before: members[0]!.before !== null,
    staged: staged !== null,
  }));
  return {
    replaced: existed.filter(({ before, staged }) => before && staged).length,
    created: existed.filter(({ before, staged }) => !before && staged).length,
    removed: existed.filter(({ before, staged }) => before && !staged).length,
  };
}

/**
 * Swaps the whole set, or throws with everything as it was before. What was staged is moved, not copied.
 * @throws INVALID_PARAMS, PATH_UNSAFE, NO_SPACE, TARGET_BUSY when a target changes under it, IO_ERROR,
 *   INSTANCE_LOCKED when another swap does not end
 */
export async function performSwap(
  request: SwapRequest,
  clock: Clock,
  activity: Activity,
): Promise<SwapResult> {
  const { stateDirectory } = request;
  await makeDirectory(swapsHome(stateDirectory));
  const lock = await lockSwaps(stateDirectory, clock, request.note);
  try {
    await checkSwapRequest(request);
    const planned = await prepareJournal(request, clock);
    await writeJournal(stateDirectory, planned);
    activity.progress({ phase: 'swap', filesDone: 0, totalFiles: planned.items.length });
    const journal = await changeAndCommit(request, planned, activity);
    const kept = await finishSwap(stateDirectory, journal, activity);
    activity.progress({ phase: 'swap', filesDone: journal.items.length });
    return { id: journal.id, quarantineId: kept ? journal.id : null, ...countsOf(journal) };
  } finally {
    activity.setCancellable(true);
    lock.release();
  }
}

async function changeAndCommit(
  request: SwapRequest,
  planned: SwapJournal,
  activity: Activity,
): Promise<SwapJournal> {
  const { stateDirectory } = request;
  let journal = planned;
  try {
    if (planned.holdDirectories.length > 0) {
      journal = await copyOriginals(stateDirectory, planned, activity);
      await writeJournal(stateDirectory, journal);
    }
    await request.beforeSwap?.();
    activity.setCancellable(false);
    await changeUpToCommit(stateDirectory, journal, activity);
    if (!journal.single) await writeCommit(stateDirectory, journal.id);
    return journal;
  } catch (error) {
    return undo(stateDirectory, journal, error);
  }
}
