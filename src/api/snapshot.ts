import type { SnapshotFilter } from '../store/store.ts';
import type { HandlersOf } from './handler.ts';
import { pageByTime } from './pages.ts';
import { readerIfAny } from './reader-if-any.ts';
import { snapshotDocument } from './snapshot-document.ts';
import { findSource, sourceIdOf, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const snapshotHandlers: HandlersOf<'snapshot'> = {
  'snapshot.create': ({ sourceId: reference, type, reason, tags, idempotencyKey }, context) => {
    const sourceId = sourceOrOnly(context.settings, reference).id;
    return submitJob(context, {
      kind: 'backup',
      sourceId,
      params: { sourceId, type, origin: 'manual', reason, tags },
      mutating: true,
      idempotencyKey,
    });
  },
  'snapshot.list': async (params, context) => {
    const reader = await readerIfAny(context);
    const { sourceId, origin, goodOnly } = params;
    const filter: SnapshotFilter = {
      ...(sourceId === undefined ? {} : { sourceId: sourceIdOf(context, reader, sourceId) }),
      ...(origin === undefined ? {} : { origin }),
      goodOnly,
    };
    return pageByTime(
      reader?.listSnapshots(filter) ?? [],
      params,
      ['snapshot.list', filter],
      ({ id, capturedAt }) => ({ id, at: capturedAt }),
      (summary) => summary,
    );
  },
  'snapshot.get': async ({ id, sourceId }, context) => {
    const reader = await context.openReader();
    const scope = sourceId === undefined ? undefined : sourceIdOf(context, reader, sourceId);
    return snapshotDocument(reader, reader.resolveSnapshot(id, scope));
  },
  'snapshot.verify': async ({ snapshots, sourceId: reference, deep, idempotencyKey }, context) => {
    const sourceId =
      reference === undefined ? undefined : findSource(context.settings, reference).id;
    const reader = await context.openReader();
    return submitJob(context, {
      kind: 'verify',
      sourceId: sourceId ?? null,
      params: {
        snapshots:
          typeof snapshots === 'string'
            ? snapshots
            : snapshots.map((each) => reader.resolveSnapshot(each, sourceId)),
        sourceId,
        deep,
      },
      mutating: false,
      idempotencyKey,
    });
  },
};
