import { HoldfastError } from '../kernel/errors.ts';
import type { StoreReader } from '../store/store.ts';
import type { ApiContext } from './context.ts';

/** Null where there is no repository yet: nothing was ever snapshotted, which is no error. */
export async function readerIfAny(context: ApiContext): Promise<StoreReader | null> {
  try {
    return await context.openReader();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'REPO_UNINITIALISED') return null;
    throw error;
  }
}
