import { z } from 'zod';
import { initRepository } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { withReader } from './repository-access.ts';

/** Makes the repository where there is none, and leaves one that is there as it is. */
export const init: Operation<Record<string, never>> = {
  kind: 'init',
  params: z.strictObject({}),
  async run({ settings, clock }) {
    const { repositoryDirectory: path } = settings;
    await initRepository(path, { clock });
    return withReader(settings, async ({ repositoryId }) => ({ path, repositoryId }));
  },
};
