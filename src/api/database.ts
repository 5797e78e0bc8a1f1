import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { databaseImportHandlers } from './import.ts';
import { submitJob } from './submit-job.ts';

export const databaseHandlers: HandlersOf<'database'> = {
  ...databaseImportHandlers,
  'database.statistics': (params, context) => maintain(context, 'statistics', params),
  'database.checkpoint': (params, context) => maintain(context, 'checkpoint', params),
  'database.optimize': (params, context) => maintain(context, 'optimize', params),
};

function maintain(
  context: ApiContext,
  action: 'statistics' | 'checkpoint' | 'optimize',
  {
    idempotencyKey,
    ...params
  }: { readonly database: string; readonly idempotencyKey?: string | undefined },
) {
  return submitJob(context, {
    kind: 'maintain',
    sourceId: null,
    params: { action, ...params },
    // Not of the repository: it need not wait for a backup.
    mutating: false,
    idempotencyKey,
  });
}
