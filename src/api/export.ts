import type { ValidParams } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { findSource, snapshotSourceId } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

type ExportParams = Omit<ValidParams<'snapshot.export'>, 'idempotencyKey'>;

/** The snapshot that is meant now, not when the job's turn comes; null: one is to be taken. @throws NOT_FOUND */
async function subjectOf(
  { snapshotId, sourceId }: Pick<ExportParams, 'snapshotId' | 'sourceId'>,
  context: ApiContext,
): Promise<{ snapshotId: string | null; sourceId: string }> {
  if (snapshotId === undefined) {
    return { snapshotId: null, sourceId: findSource(context.settings, sourceId!).id };
  }
  const reader = await context.openReader();
  const wanted =
    sourceId === undefined ? undefined : snapshotSourceId(context.settings, reader, sourceId);
  const id = reader.resolveSnapshot(snapshotId, wanted);
  return { snapshotId: id, sourceId: (await reader.readManifest(id)).source.id };
}

async function submitExport(
  { to, snapshotId: _snapshot, sourceId: _source, ...params }: ExportParams,
  subject: { readonly snapshotId: string | null; readonly sourceId: string },
  idempotencyKey: string | undefined,
  context: ApiContext,
) {
  const { snapshotId, sourceId } = subject;
  return submitJob(context, {
    kind: 'export',
    sourceId,
    params: {
      ...params,
      ...(snapshotId === null ? { sourceId } : { snapshotId }),
      to: typeof to === 'string' ? { type: 'file', path: to } : to,
    },
    // One that takes a snapshot first writes to the repository.
    mutating: snapshotId === null,
    idempotencyKey,
  });
}

export const snapshotExportHandlers: Pick<HandlersOf<'snapshot'>, 'snapshot.export'> = {
  'snapshot.export': async ({ idempotencyKey, ...params }, context) =>
    submitExport(params, await subjectOf(params, context), idempotencyKey, context),
};

export const tableExportHandlers: Pick<HandlersOf<'table'>, 'table.export'> = {
  'table.export': async ({ idempotencyKey, all: _all, ...params }, context) =>
    submitExport(
      { ...params, format: 'jsonl' },
      await subjectOf(params, context),
      idempotencyKey,
      context,
    ),
};
