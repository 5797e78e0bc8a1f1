import type { HandlersOf } from './handler.ts';
import { submitJob } from './submit-job.ts';

export const repositoryHandlers: HandlersOf<'repository'> = {
  'repository.statistics': async (_, context) => (await context.openReader()).statistics(),
  'repository.check': ({ readData, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'check',
      sourceId: null,
      params: { readData },
      mutating: false,
      idempotencyKey,
    }),
  'repository.rebuild': ({ idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'rebuild',
      sourceId: null,
      params: {},
      mutating: true,
      idempotencyKey,
    }),
};
