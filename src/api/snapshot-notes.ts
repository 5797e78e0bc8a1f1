import type { ApiContext } from './context.ts';
import type { Handler } from './handler.ts';
import { snapshotSourceId } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

type Handlers = {
  readonly [M in
    | 'snapshot.tag'
    | 'snapshot.pin'
    | 'snapshot.unpin'
    | 'snapshot.reseal']: Handler<M>;
};

interface Chosen {
  readonly ids: readonly string[];
  readonly sourceId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export const snapshotNoteHandlers: Handlers = {
  'snapshot.tag': (params, context) =>
    annotate(params, context, { addTags: params.add, removeTags: params.remove }),
  'snapshot.pin': (params, context) => annotate(params, context, { pinned: true }),
  'snapshot.unpin': (params, context) => annotate(params, context, { pinned: false }),
  'snapshot.reseal': async ({ id, sourceId, idempotencyKey }, context) => {
    const [snapshotId] = await resolveAll([id], sourceId, context);
    return submitJob(context, {
      kind: 'reseal',
      sourceId: null,
      params: { snapshotId },
      mutating: true,
      idempotencyKey,
    });
  },
};

/** Notes are written by a worker, under the lock of the repository. */
async function annotate(
  { ids, sourceId, idempotencyKey }: Chosen,
  context: ApiContext,
  changes: Record<string, unknown>,
) {
  const snapshotIds = await resolveAll(ids, sourceId, context);
  return submitJob(context, {
    kind: 'annotate',
    sourceId: null,
    params: { snapshotIds, ...changes },
    mutating: true,
    idempotencyKey,
  });
}

async function resolveAll(
  ids: readonly string[],
  sourceId: string | undefined,
  context: ApiContext,
): Promise<string[]> {
  const reader = await context.openReader();
  const scope =
    sourceId === undefined ? undefined : snapshotSourceId(context.settings, reader, sourceId);
  return [...new Set(ids.map((id) => reader.resolveSnapshot(id, scope)))];
}
