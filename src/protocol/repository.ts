import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, nothing } from './scalars.ts';

export const repositoryStatistics = z.object({
  repositoryId: z.string(),
  path: z.string(),
  snapshots: count,
  packs: count,
  packBytes: count,
  chunks: count,
  deltaChunks: count,
  uniqueBytes: count,
  rawBytes: count,
});

export const repositoryMethods = {
  'repository.statistics': {
    summary: 'Sizes and counts of the repository.',
    params: nothing,
    result: repositoryStatistics,
  },
  'repository.check': {
    summary: 'Enqueues a check of the whole repository.',
    params: z.strictObject({
      readData: z
        .union([
          z.enum(['none', 'all']),
          z.strictObject({ percent: z.number().gt(0).max(100), seed: z.int().nonnegative() }),
        ])
        .default('none'),
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.rebuild': {
    summary: 'Enqueues a rebuild of the catalog from packs and manifests.',
    params: z.strictObject({ idempotencyKey }),
    result: submitted,
  },
};
