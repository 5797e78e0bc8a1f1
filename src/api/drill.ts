import type { DrillItem } from '../protocol/method-map.ts';
import type { StoreReader } from '../store/store.ts';
import type { HandlersOf } from './handler.ts';
import { pageByTime } from './pages.ts';
import { readerIfAny } from './reader-if-any.ts';
import { findSource, sourceIdOf } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const drillHandlers: HandlersOf<'drill'> = {
  'drill.run': ({ sourceId: reference, idempotencyKey }, context) => {
    const sourceId =
      reference === undefined ? undefined : findSource(context.settings, reference).id;
    return submitJob(context, {
      kind: 'drill',
      sourceId: sourceId ?? null,
      params: { sourceId },
      mutating: false,
      idempotencyKey,
    });
  },
  'drill.list': async (params, context) => {
    const reader = await readerIfAny(context);
    const sourceId =
      params.sourceId === undefined ? undefined : sourceIdOf(context, reader, params.sourceId);
    const drills = reader === null ? [] : await drillsOf(reader, sourceId);
    const scope = ['drill.list', sourceId ?? null];
    return pageByTime(
      drills,
      params,
      scope,
      ({ snapshotId, at }) => ({ id: `${snapshotId} ${at}`, at }),
      (drill) => drill,
    );
  },
};

/** Newest first. Only snapshots that were verified in any way have notes worth reading. */
async function drillsOf(reader: StoreReader, sourceId: string | undefined): Promise<DrillItem[]> {
  const drills: DrillItem[] = [];
  const snapshots = reader.listSnapshots(sourceId === undefined ? {} : { sourceId });
  for (const snapshot of snapshots.filter(({ verifiedAt }) => verifiedAt !== null)) {
    const { id: snapshotId, capturedAt } = snapshot;
    const { verifications } = await reader.readNotes(snapshotId);
    for (const { level, at, ok, findings, durationMs = null } of verifications) {
      if (level !== 'drill') continue;
      const about = { snapshotId, sourceId: snapshot.sourceId, capturedAt };
      drills.push({ ...about, at, ok, findings, durationMs });
    }
  }
  return drills.sort((left, right) => (left.at < right.at ? 1 : -1));
}
