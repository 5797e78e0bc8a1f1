import { requireConfirmed } from './confirmation.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { findSource } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

interface ImportRequest {
  readonly into: 'database' | 'tables' | 'snapshot';
  readonly sourceId: string;
  readonly confirm?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
}

function submitImport(
  { sourceId: reference, confirm, idempotencyKey, ...params }: ImportRequest,
  context: ApiContext,
) {
  const source = findSource(context.settings, reference);
  const changesData = params.into !== 'snapshot' && params.dryRun !== true;
  if (changesData) requireConfirmed(confirm, source, 'import into', context);
  return submitJob(context, {
    kind: 'import',
    sourceId: source.id,
    params: { ...params, sourceId: source.id },
    mutating: params.dryRun !== true,
    idempotencyKey,
  });
}

export const databaseImportHandlers: Pick<HandlersOf<'database'>, 'database.import'> = {
  'database.import': (params, context) => submitImport({ into: 'database', ...params }, context),
};

export const tableImportHandlers: Pick<HandlersOf<'table'>, 'table.import'> = {
  'table.import': (params, context) => submitImport({ into: 'tables', ...params }, context),
};

export const snapshotImportHandlers: Pick<HandlersOf<'snapshot'>, 'snapshot.import'> = {
  'snapshot.import': (params, context) => submitImport({ into: 'snapshot', ...params }, context),
};
