import { z } from 'zod';
import { rebuildCatalog } from '../store/repository.ts';
import type { Operation } from './operation.ts';

/** Makes the catalog anew from packs and manifests. */
export const rebuild: Operation<Record<string, never>> = {
  kind: 'rebuild',
  params: z.strictObject({}),
  async run({ activity, settings, clock }) {
    return { ...(await rebuildCatalog(settings.repositoryDirectory, { clock }, activity)) };
  },
};
