import type { ValidParams } from '../protocol/method-map.ts';
import type { SnapshotFilter, SnapshotSummary, StoreReader } from '../store/store.ts';
import type { ApiContext } from './context.ts';
import { sourceIdOf } from './source-reference.ts';

type Choice = ValidParams<'snapshot.latest'>;

/** The snapshots of which every condition holds, newest first; none where there is no repository. @throws NOT_FOUND */
export function chosenSnapshots(
  reader: StoreReader | null,
  choice: Choice,
  context: Pick<ApiContext, 'settings'>,
): readonly SnapshotSummary[] {
  const { sourceId, origin, goodOnly } = choice;
  const filter: SnapshotFilter = {
    ...(sourceId === undefined ? {} : { sourceId: sourceIdOf(context, reader, sourceId) }),
    ...(origin === undefined ? {} : { origin }),
    goodOnly,
  };
  return (reader?.listSnapshots(filter) ?? []).filter((summary) => isChosen(summary, choice));
}

function isChosen(summary: SnapshotSummary, choice: Choice): boolean {
  const { type, tag, pinned, verifiedOnly, since = '', until = '~', text } = choice;
  return (
    (type === undefined || summary.type === type) &&
    (tag === undefined || summary.tags.includes(tag)) &&
    (pinned === undefined || summary.pinned === pinned) &&
    (!verifiedOnly || summary.verifiedOk === true) &&
    summary.capturedAt >= since &&
    summary.capturedAt <= until &&
    (text === undefined || summary.reason?.toLowerCase().includes(text.toLowerCase()) === true)
  );
}
