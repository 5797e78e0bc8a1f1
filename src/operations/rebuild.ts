import { z } from 'zod';
import { rebuildCatalog } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { repositoryKey } from './repository-key.ts';

/** Makes the catalog anew from packs and manifests. */
export const rebuild: Operation<Record<string, never>> = {
  kind: 'rebuild',
  params: z.strictObject({}),
  async run({ activity, settings, clock }) {
    const options = { clock, key: await repositoryKey(settings) };
    return { ...(await rebuildCatalog(settings.repositoryDirectory, options, activity)) };
  },
};
