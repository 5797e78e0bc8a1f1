import type { Settings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { acquireLease, initRepository, openReader, openWriter } from '../store/repository.ts';
import type { StoreReader, StoreWriter } from '../store/store.ts';
import { repositoryKey } from './repository-key.ts';
import { headMemory } from './seen-heads.ts';

/** Unless it says otherwise, a job waits this long for another process's job on the same repository. */
export const LOCK_WAIT_MS = 60_000;

/** The repository for writing: made where there is none, reconciled, locked until it is closed. @throws REPO_LOCKED, KEY_REQUIRED, KEY_WRONG */
export async function openRepositoryWriter(
  settings: Settings,
  clock: Clock,
  activity: Activity,
  purpose: string,
  lockWaitMs: number = LOCK_WAIT_MS,
): Promise<StoreWriter & Pick<Awaited<ReturnType<typeof openWriter>>, 'reconciled'>> {
  const key = await repositoryKey(settings);
  await initRepository(settings.repositoryDirectory, { clock, key });
  return openWriter(settings.repositoryDirectory, {
    codec: settings.codec,
    verifyWrites: settings.verifyWrites,
    clock,
    lockWaitMs,
    purpose,
    signal: activity.signal,
    key,
    memory: key === null ? null : await headMemory(settings),
  });
}

/** Runs `use` while the snapshot can neither be removed nor lose its data. @throws NOT_FOUND */
export async function withLease<T>(
  { settings, clock }: { readonly settings: Settings; readonly clock: Clock },
  snapshotId: string,
  purpose: string,
  use: () => Promise<T>,
): Promise<T> {
  const lease = await acquireLease(settings.repositoryDirectory, snapshotId, purpose, clock);
  try {
    return await use();
  } finally {
    await lease.release();
  }
}

/** Runs `use` with a reader that is closed afterwards. @throws REPO_UNINITIALISED, KEY_REQUIRED, KEY_WRONG */
export async function withReader<T>(
  settings: Settings,
  use: (reader: StoreReader) => Promise<T>,
): Promise<T> {
  const reader = await openReader(settings.repositoryDirectory, await repositoryKey(settings));
  try {
    return await use(reader);
  } finally {
    reader.close();
  }
}
