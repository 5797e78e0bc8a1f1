import type { Settings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { initRepository, openReader, openWriter } from '../store/repository.ts';
import type { StoreReader, StoreWriter } from '../store/store.ts';

/** Unless it says otherwise, a job waits this long for another process's job on the same repository. */
const LOCK_WAIT_MS = 60_000;

/** The repository for writing: made where there is none, reconciled, locked until it is closed. @throws REPO_LOCKED */
export async function openRepositoryWriter(
  settings: Settings,
  clock: Clock,
  activity: Activity,
  purpose: string,
  lockWaitMs: number = LOCK_WAIT_MS,
): Promise<StoreWriter & Pick<Awaited<ReturnType<typeof openWriter>>, 'reconciled'>> {
  await initRepository(settings.repositoryDirectory, { clock });
  return openWriter(settings.repositoryDirectory, {
    codec: settings.codec,
    verifyWrites: settings.verifyWrites,
    clock,
    lockWaitMs,
    purpose,
    signal: activity.signal,
  });
}

/** Runs `use` with a reader that is closed afterwards. @throws REPO_UNINITIALISED */
export async function withReader<T>(
  settings: Settings,
  use: (reader: StoreReader) => Promise<T>,
): Promise<T> {
  const reader = await openReader(settings.repositoryDirectory);
  try {
    return await use(reader);
  } finally {
    reader.close();
  }
}
