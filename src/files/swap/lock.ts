import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { acquireExclusiveLock, type ExclusiveLock } from '../exclusive-lock.ts';
import { swapsHome } from './journal.ts';

const LOCK_WAIT_MS = 60_000;

/**
 * One swap at a time for a state directory; nor is one resumed that a living process is in the middle of.
 * @throws INSTANCE_LOCKED
 */
export function lockSwaps(
  stateDirectory: string,
  clock: Clock,
  purpose: string,
): Promise<ExclusiveLock> {
  return acquireExclusiveLock(join(swapsHome(stateDirectory), 'lock.db'), {
    purpose,
    waitMs: LOCK_WAIT_MS,
    code: 'INSTANCE_LOCKED',
    clock,
  });
}
