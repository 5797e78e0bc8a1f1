import { access } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import { cannot, HoldfastError, messageOf } from '../../kernel/errors.ts';
import { identify } from '../entry-identity.ts';
import { removePartialQuarantine } from '../quarantine/quarantine.ts';
import { finishSwap } from './forward.ts';
import {
  isCommitted,
  listSwaps,
  readJournal,
  removeJournal,
  type SwapJournal,
  setJournalAside,
  swapsHome,
} from './journal.ts';
import { lockSwaps } from './lock.ts';
import { rollBackSwap } from './rollback.ts';

export interface ResumedSwap {
  readonly id: string;
  readonly outcome: 'rolled-forward' | 'rolled-back';
  readonly targets: string[];
}

async function isPastCommit(stateDirectory: string, journal: SwapJournal): Promise<boolean> {
  if (await isCommitted(stateDirectory, journal.id)) return true;
  const item = journal.items[0];
  if (!journal.single || item === undefined || item.staged === null) return false;
  return (await identify(item.staged)) === null;
}

async function resumeOne(
  stateDirectory: string,
  journal: SwapJournal,
  activity: Activity,
): Promise<ResumedSwap> {
  const { id } = journal;
  const targets = journal.items.map(({ target }) => target);
  if (await isPastCommit(stateDirectory, journal)) {
    await finishSwap(stateDirectory, journal, activity);
    return { id, outcome: 'rolled-forward', targets };
  }
  await rollBackSwap(stateDirectory, journal);
  return { id, outcome: 'rolled-back', targets };
}

/**
 * Ends every swap that a crash cut short: undone before its commit record, finished after it. Safe to repeat, and
 * to be killed itself. One that cannot be ended, as where its disk fails, stays for the next time and keeps no other.
 * A journal that cannot be read is set aside, what it names untouched, after the others
 * were dealt with.
 * @throws RECOVERY_FAILED, UNSUPPORTED_FORMAT naming where such a journal was put
 */
export async function resumeSwaps(
  stateDirectory: string,
  clock: Clock,
  activity: Activity,
): Promise<readonly ResumedSwap[]> {
  const begun = await access(swapsHome(stateDirectory)).then(
    () => true,
    () => false,
  );
  if (!begun) {
    await removePartialQuarantine(stateDirectory);
    return [];
  }
  const lock = await lockSwaps(stateDirectory, clock, 'finishing interrupted swaps');
  try {
    await removePartialQuarantine(stateDirectory);
    return await resumeAll(stateDirectory, activity);
  } finally {
    lock.release();
  }
}

async function resumeAll(stateDirectory: string, activity: Activity): Promise<ResumedSwap[]> {
  const resumed: ResumedSwap[] = [];
  const setAside: string[] = [];
  let cause: unknown;
  let failure: { readonly error: unknown } | null = null;
  for (const id of await listSwaps(stateDirectory)) {
    activity.signal.throwIfAborted();
    let journal: SwapJournal | null;
    try {
      journal = await readJournal(stateDirectory, id);
    } catch (error) {
      if (!(error instanceof HoldfastError)) {
        failure ??= { error };
        continue;
      }
      cause ??= error;
      setAside.push(await setJournalAside(stateDirectory, id));
      continue;
    }
    try {
      if (journal === null) await removeJournal(stateDirectory, id);
      else resumed.push(await resumeOne(stateDirectory, journal, activity));
    } catch (error) {
      activity.signal.throwIfAborted();
      failure ??= { error };
    }
  }
  if (failure !== null) throw failure.error;
  if (setAside.length === 0) return resumed;
  throw cannot(
    (cause as HoldfastError).code,
    'finish an interrupted swap',
    setAside.join(', '),
    messageOf(cause),
    {
      hint: 'The journal was set aside there. The originals are in the quarantine folder of the same id; put them back by hand.',
      details: { setAside, resumed: resumed.map(({ id }) => id) },
      cause,
    },
  );
}
