import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { shortId } from '../kernel/ids.ts';
import type { SnapshotSummary } from '../store/store.ts';
import type { Operation } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';

const parameters = z.strictObject({
  snapshotIds: z.array(z.string().min(1)).min(1).max(1000),
  /** Also the one that its source would be recovered from. What is pinned or being read never goes. */
  force: z.boolean().default(false),
});

/** Removes snapshots: all of those named, or none. Their data stays until a prune. */
export const deleteSnapshots: Operation<z.infer<typeof parameters>> = {
  kind: 'delete',
  params: parameters,
  async run({ settings, clock, activity }, { snapshotIds, force }) {
    const writer = await openRepositoryWriter(settings, clock, activity, 'delete');
    try {
      const { reader } = writer;
      const ids = [...new Set(snapshotIds.map((each) => reader.resolveSnapshot(each)))];
      if (!force) refuseLastGood(ids, reader.listSnapshots());
      activity.signal.throwIfAborted();
      await writer.removeSnapshots(ids);
      for (const id of ids) activity.log(`removed ${id}`);
      return { removed: ids };
    } finally {
      await writer.close();
    }
  },
};

/** What came from an archive is not the source's own past. */
const isGood = ({ good, verifiedOk, origin }: SnapshotSummary): boolean =>
  good && verifiedOk !== false && origin !== 'import';

/** @throws IN_USE where a source that has a good snapshot would have none left, or lose its newest verified one */
function refuseLastGood(ids: readonly string[], snapshots: readonly SnapshotSummary[]): void {
  const going = new Set(ids);
  for (const summary of snapshots) {
    if (!going.has(summary.id) || !isGood(summary)) continue;
    const own = snapshots.filter(({ sourceId }) => sourceId === summary.sourceId);
    const newestVerified = own.find((each) => isGood(each) && each.verifiedOk === true);
    const left = own.some((each) => isGood(each) && !going.has(each.id));
    if (left && newestVerified?.id !== summary.id) continue;
    const state = `it is the last known good one of ${summary.sourceName}`;
    throw cannot('IN_USE', 'delete snapshot', shortId(summary.id), state, {
      hint: 'Take and verify another first, or delete it with --force.',
      details: { lastGood: summary.id },
    });
  }
}
