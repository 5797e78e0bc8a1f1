import type { SnapshotDocument } from '../protocol/method-map.ts';
import { SNAPSHOT_ITEMS_MAX } from '../protocol/snapshot.ts';
import type { StoreReader } from '../store/store.ts';
import { withinBytes } from './pages.ts';

/** Each list of the document stays below this, so that all of them fit in one answer. */
const LIST_BYTES_MAX = 160 * 1024;

const cut = <Item>(items: readonly Item[]): readonly Item[] =>
  withinBytes(items.slice(0, SNAPSHOT_ITEMS_MAX), LIST_BYTES_MAX);

/** Everything recorded about a snapshot, its lists cut to a bounded length. @throws NOT_FOUND, VERIFY_FAILED */
export async function snapshotDocument(reader: StoreReader, id: string): Promise<SnapshotDocument> {
  const [manifest, notes] = [await reader.readManifest(id), await reader.readNotes(id)];
  const last = notes.verifications.at(-1);
  const { statistics, databases, source } = manifest;
  return {
    id,
    shortId: id.slice(0, 8),
    sourceId: source.id,
    sourceName: source.name,
    type: manifest.type,
    origin: manifest.origin,
    reason: manifest.reason,
    parent: manifest.parent,
    capturedAt: manifest.capturedAt,
    totalBytes: statistics.totalBytes,
    addedBytes: statistics.addedBytes,
    files: statistics.files,
    databases: statistics.databases,
    good: databases.every(({ check }) => check.ok),
    tags: notes.tags,
    pinned: notes.pinned,
    verifiedAt: last?.at ?? null,
    verifiedLevel: last?.level ?? null,
    verifiedOk: last?.ok ?? null,
    resealed: notes.resealedAt !== undefined,
    startedAt: manifest.startedAt,
    finishedAt: manifest.finishedAt,
    skewMs: manifest.skewMs,
    jobId: manifest.jobId,
    host: manifest.host,
    tool: manifest.tool,
    roots: manifest.roots.map(({ tree: _, ...root }) => root),
    databaseList: cut(databases),
    skipped: cut(manifest.skipped),
    skippedCount: manifest.skippedCount,
    skippedByReason: { ...manifest.skippedByReason },
    notes: cut(manifest.notes ?? []),
    keys: [...(manifest.keys ?? [])],
    lineCounts:
      manifest.lineCounts === undefined
        ? null
        : { ...manifest.lineCounts, items: cut(manifest.lineCounts.items) },
    changedWhileReading: cut(manifest.changedWhileReading),
    changedWhileReadingCount: manifest.changedWhileReading.length,
    warnings: cut(manifest.warnings),
    statistics,
    verifications: cut(notes.verifications),
  };
}
