import { join } from 'node:path';
import {
  acquireExclusiveLock,
  type ExclusiveLock,
  readLockHolder,
} from '../files/exclusive-lock.ts';
import type { Clock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';

/**
 * One process at a time owns a state directory: the daemon, or a worker that a client runs while there is no
 * daemon. The owner alone may finish interrupted swaps and run jobs.
 */
export const instanceLockPath = (stateDirectory: string): string =>
  join(stateDirectory, 'instance.lock');

export const OFFLINE_PURPOSE = 'offline command';
/** A second command waits this long for the first; so does a daemon that starts during a boot check. */
const OFFLINE_WAIT_MS = 10 * 60_000;
const WAIT_SLICE_MS = 500;

/**
 * Refuses at once where another daemon owns the state directory, but waits for a command to end: commands end.
 * @throws INSTANCE_LOCKED, naming the holder
 */
export async function acquireInstanceLock(
  stateDirectory: string,
  purpose: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<ExclusiveLock> {
  const path = instanceLockPath(stateDirectory);
  const deadlineMs = clock.monotonicMs() + OFFLINE_WAIT_MS;
  for (;;) {
    try {
      return await acquireExclusiveLock(path, {
        purpose,
        waitMs: WAIT_SLICE_MS,
        code: 'INSTANCE_LOCKED',
        clock,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      const locked = error instanceof HoldfastError && error.code === 'INSTANCE_LOCKED';
      const holderEnds = readLockHolder(path)?.purpose === OFFLINE_PURPOSE;
      if (!locked || !holderEnds || clock.monotonicMs() >= deadlineMs) throw error;
    }
  }
}
