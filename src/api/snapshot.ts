import { cannot } from '../kernel/errors.ts';
import { chosenSnapshots } from './choose-snapshots.ts';
import { snapshotExportHandlers } from './export.ts';
import type { HandlersOf } from './handler.ts';
import { snapshotImportHandlers } from './import.ts';
import { pageByTime } from './pages.ts';
import { readerIfAny } from './reader-if-any.ts';
import { snapshotContentHandlers } from './snapshot-contents.ts';
import { snapshotDocument } from './snapshot-document.ts';
import { snapshotNoteHandlers } from './snapshot-notes.ts';
import { findSource, sourceIdOf, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const snapshotHandlers: HandlersOf<'snapshot'> = {
  ...snapshotContentHandlers,
  ...snapshotNoteHandlers,
  ...snapshotExportHandlers,
  ...snapshotImportHandlers,
  'snapshot.delete': async ({ ids, force, idempotencyKey }, context) => {
    const reader = await context.openReader();
    const snapshotIds = [...new Set(ids.map((each) => reader.resolveSnapshot(each)))];
    return submitJob(context, {
      kind: 'delete',
      sourceId: null,
      params: { snapshotIds, force },
      mutating: true,
      idempotencyKey,
    });
  },
  'snapshot.create': ({ sourceId: reference, idempotencyKey, ...params }, context) => {
    const sourceId = sourceOrOnly(context.settings, reference).id;
    return submitJob(context, {
      kind: 'backup',
      sourceId,
      params: { sourceId, origin: 'manual', ...params },
      mutating: true,
      idempotencyKey,
    });
  },
  'snapshot.list': async (params, context) => {
    const reader = await readerIfAny(context);
    const { limit: _limit, cursor: _cursor, ...choice } = params;
    return pageByTime(
      chosenSnapshots(reader, choice, context),
      params,
      ['snapshot.list', choice],
      ({ id, capturedAt }) => ({ id, at: capturedAt }),
      (summary) => summary,
    );
  },
  'snapshot.latest': async (choice, context) => {
    const chosen = chosenSnapshots(await readerIfAny(context), choice, context);
    // What came from an archive is meant only where it is asked for.
    const newest = chosen.find(({ origin }) => origin !== 'import' || choice.origin === 'import');
    if (newest !== undefined) return newest;
    throw cannot('NOT_FOUND', 'find snapshot', 'latest', 'there is none like this', {
      hint: 'holdfast snapshots lists what there is.',
    });
  },
  'snapshot.get': async ({ id, sourceId }, context) => {
    const reader = await context.openReader();
    const scope = sourceId === undefined ? undefined : sourceIdOf(context, reader, sourceId);
    return snapshotDocument(reader, reader.resolveSnapshot(id, scope));
  },
  'snapshot.verify': async (
    { snapshots, sourceId: reference, deep, bandwidth, idempotencyKey },
    context,
  ) => {
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
        bandwidth,
      },
      mutating: false,
      idempotencyKey,
    });
  },
};
