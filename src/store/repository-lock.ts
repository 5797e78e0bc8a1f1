import { acquireExclusiveLock, type ExclusiveLock } from '../files/exclusive-lock.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Layout } from './layout.ts';

export interface RepositoryLockOptions {
  /** What the holder does, shown to whoever is refused. */
  readonly purpose: string;
  readonly lockWaitMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** The lock of the one writer that a repository has at a time. @throws REPO_LOCKED naming who holds it */
export function lockRepository(
  layout: Layout,
  { purpose, lockWaitMs, clock, signal }: RepositoryLockOptions,
): Promise<ExclusiveLock> {
  return acquireExclusiveLock(layout.lock, {
    purpose,
    waitMs: lockWaitMs,
    code: 'REPO_LOCKED',
    clock,
    ...(signal === undefined ? {} : { signal }),
  });
}
