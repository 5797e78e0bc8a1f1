import { z } from 'zod';
import { pruneRepository } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';

const parameters = z.strictObject({ dryRun: z.boolean().default(false) });

/** Gives back the space of what no snapshot needs. */
export const prune: Operation<z.infer<typeof parameters>> = {
  kind: 'prune',
  params: parameters,
  async run({ activity, settings, clock }, { dryRun }) {
    const key = await repositoryKey(settings);
    const options = { clock, dryRun, lockWaitMs: LOCK_WAIT_MS, key, ...settings.prune };
    const report = await pruneRepository(settings.repositoryDirectory, options, activity);
    activity.log(`${report.bytesFreed} bytes ${dryRun ? 'would be freed' : 'freed'}`);
    return { ...report };
  },
};
