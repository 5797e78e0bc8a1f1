import type { ValidParams } from '../protocol/method-map.ts';
import { MANIFEST_SLICE_BYTES_MAX } from '../protocol/snapshot-contents.ts';
import { manifestBytes } from '../store/manifests/manifest-file.ts';
import type { StoreReader } from '../store/store.ts';
import type { PlacedEntry } from '../store/trees/walk-tree.ts';
import type { ApiContext } from './context.ts';
import type { FoundVersion } from './find-versions.ts';
import type { Handler } from './handler.ts';
import { decodeCursor, encodeCursor, withinBytes } from './pages.ts';
import { pathMatcher } from './path-pattern.ts';
import { readerIfAny } from './reader-if-any.ts';
import { snapshotSourceId, sourceIdOf } from './source-reference.ts';
import { submitJob } from './submit-job.ts';
import { toTreeItem } from './tree.ts';
import { walkSnapshot } from './tree-walk.ts';
import { VersionSearch } from './version-search.ts';

const UNREADABLE_TOLD_MAX = 20;

type Handlers = {
  readonly [M in
    | 'snapshot.files'
    | 'snapshot.manifest'
    | 'snapshot.find'
    | 'snapshot.diff']: Handler<M>;
};

export const snapshotContentHandlers: Handlers = {
  'snapshot.files': async (params, context) => {
    const { reader, id } = await chosenSnapshot(params, context);
    const scope = ['snapshot.files', id];
    const after =
      params.cursor == null ? null : String(decodeCursor(scope, params.cursor)[0] ?? '');
    const found: PlacedEntry[] = [];
    const walk = walkSnapshot(reader, await reader.readManifest(id), after);
    for await (const placed of walk) {
      found.push(placed);
      // One more than asked for tells whether there is a further page.
      if (found.length > params.limit) break;
    }
    const items = withinBytes(found.slice(0, params.limit).map(toFileItem));
    const isLast = items.length === found.length;
    return { items, nextCursor: isLast ? null : encodeCursor(scope, [items.at(-1)!.path]) };
  },
  'snapshot.manifest': async (params, context) => {
    const { reader, id } = await chosenSnapshot(params, context);
    const bytes = manifestBytes(await reader.readManifest(id));
    const slice = textSlice(bytes, params.offsetBytes);
    const end = params.offsetBytes + slice.length;
    const nextOffsetBytes = end < bytes.length ? end : null;
    return { id, totalBytes: bytes.length, text: slice.toString('utf8'), nextOffsetBytes };
  },
  'snapshot.find': find,
  'snapshot.diff': async ({ a, b, sourceId, databases, idempotencyKey }, context) => {
    const reader = await context.openReader();
    const scope =
      sourceId === undefined ? undefined : snapshotSourceId(context.settings, reader, sourceId);
    const [before, after] = [reader.resolveSnapshot(a, scope), reader.resolveSnapshot(b, scope)];
    return submitJob(context, {
      kind: 'diff',
      sourceId: null,
      params: { before, after, databases },
      mutating: false,
      idempotencyKey,
    });
  },
};

async function chosenSnapshot(
  { id, sourceId }: { readonly id: string; readonly sourceId?: string | undefined },
  context: ApiContext,
): Promise<{ reader: StoreReader; id: string }> {
  const reader = await context.openReader();
  const scope =
    sourceId === undefined ? undefined : snapshotSourceId(context.settings, reader, sourceId);
  return { reader, id: reader.resolveSnapshot(id, scope) };
}

/** Whole characters from a byte offset on. */
function textSlice(bytes: Buffer, offset: number): Buffer {
  let end = Math.min(bytes.length, offset + MANIFEST_SLICE_BYTES_MAX);
  // Not in the middle of a character: 10xxxxxx goes on with one.
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(offset, end);
}

const toFileItem = ({ path, entry }: PlacedEntry) => ({ path, ...toTreeItem(entry) });

function toVersionItem({ snapshot, path, entry }: FoundVersion) {
  const { id: snapshotId, shortId, sourceId, capturedAt } = snapshot;
  return { snapshotId, shortId, sourceId, capturedAt, ...toFileItem({ path, entry }) };
}

async function find(params: ValidParams<'snapshot.find'>, context: ApiContext) {
  const { pattern, sourceId: reference, type, since = '', until = '~', limit, cursor } = params;
  const reader = await readerIfAny(context);
  if (reader === null) return { items: [], nextCursor: null, unreadable: [] };
  const sourceId = reference === undefined ? null : sourceIdOf(context, reader, reference);
  const scope = ['snapshot.find', pattern, sourceId, type ?? null, since, until];
  const snapshots = reader
    .listSnapshots(sourceId === null ? {} : { sourceId })
    .filter(({ capturedAt }) => capturedAt >= since && capturedAt <= until);
  const matches = pathMatcher(pattern);
  const search = new VersionSearch({
    reader,
    snapshots,
    clock: context.clock,
    limit,
    position: cursor == null ? null : positionOf(decodeCursor(scope, cursor)),
    isWanted: (path, entry) => matches(path) && (type === undefined || entry.type === type),
  });
  await search.run();
  const items = withinBytes(search.found.slice(0, limit).map(toVersionItem));
  const next = search.next(items.length);
  return {
    items,
    nextCursor: next === null ? null : encodeCursor(scope, [next.snapshotId, next.at, next.told]),
    unreadable: search.unreadable.slice(0, UNREADABLE_TOLD_MAX),
  };
}

function positionOf([snapshotId, at, told]: readonly (string | number)[]) {
  return { snapshotId: String(snapshotId), at: String(at), told: Number(told) };
}
