import { acquireInstanceLock, OFFLINE_PURPOSE } from './instance-lock.ts';
import type { OperationContext } from './operation.ts';
import { finishInterruptedWork } from './reconcile.ts';

/** Runs a job without a daemon, in the daemon's place: what was interrupted is finished first. @throws INSTANCE_LOCKED */
export async function underInstanceLock<T>(
  context: OperationContext,
  run: () => Promise<T>,
): Promise<T> {
  const { settings, clock, activity } = context;
  const { stateDirectory } = settings;
  const lock = await acquireInstanceLock(stateDirectory, OFFLINE_PURPOSE, clock, activity.signal);
  try {
    await finishInterruptedWork(context);
    return await run();
  } finally {
    lock.release();
  }
}
