import { z } from 'zod';
import { nothing } from './scalars.ts';

export const settingsMethods = {
  'settings.get': {
    summary: 'The effective configuration; docs/operations.md describes every option.',
    params: nothing,
    result: z.looseObject({
      stateDirectory: z.string(),
      repositoryDirectory: z.string(),
      socketPath: z.string(),
      socketGroup: z.string().nullable(),
      logLevel: z.string(),
      codec: z.string(),
      verifyWrites: z.string(),
      worker: z.record(z.string(), z.number()),
      sources: z.array(z.looseObject({ id: z.string(), name: z.string() })),
    }),
  },
};
