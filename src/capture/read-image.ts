import { isoTime } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { CHUNK_BYTES } from '../kernel/limits.ts';
import type { ChangedPages } from '../sqlite/changed-pages.ts';
import type { PinnedDatabase } from '../sqlite/pinned-read.ts';
import type { Content } from '../store/chunks/content.ts';
import { currentBootId } from '../store/leases/lease.ts';
import type { ManifestDatabase, ManifestReading } from '../store/manifests/manifest.ts';
import type { ContentSource, StoreReader } from '../store/store.ts';
import type { DatabaseContext } from './database-task.ts';
import type { PinnedTask } from './pinned-task.ts';

export interface ReadImage {
  readonly content: Content;
  /** Undefined where the next snapshot has nothing to go by. */
  readonly reading: ManifestReading | undefined;
  /** True when some of it was not read just now. */
  readonly isPartial: boolean;
}

/**
 * Stores the image of a pinned database. What the log proves to be unchanged since the parent is taken from there,
 * without being read; from time to time everything is read nevertheless, and compared with what the log said.
 */
export async function readImage(
  pinned: PinnedDatabase,
  task: PinnedTask,
  context: DatabaseContext,
): Promise<ReadImage> {
  const before = parentOf(pinned, task, context);
  const pages = before === null ? null : changedPages(pinned, before.log);
  if (before === null || pages === null) return scanImage(pinned, task, context);
  if (isScanDue(before.reading, context)) {
    const scanned = await scanImage(pinned, task, context);
    const page = await firstContradiction(before.content, scanned.content, pages, context, pinned);
    return page === null ? scanned : contradicted(scanned, page, before.reading, task, context);
  }
  const { writer, activity } = context;
  const { pageBytes } = pinned;
  const source = {
    ...imageSource(pinned, task, context, { isScan: false, afresh: false }),
    isAsBefore: (offset: number, lengthBytes: number): boolean =>
      pages.isUnchanged(offset, lengthBytes, pageBytes),
  };
  const content = await writer.writeContent(source, before.content, activity);
  const { scannedAt } = before.reading;
  return { content, reading: readingOf(pinned, scannedAt, null), isPartial: true };
}

/** Reads every page; `afresh`: also what was read already before the database was let go. */
export async function scanImage(
  pinned: PinnedDatabase,
  task: PinnedTask,
  context: DatabaseContext,
  afresh = false,
): Promise<ReadImage> {
  const { writer, activity, clock, parent } = context;
  const { found } = task;
  const at = isoTime(clock.nowMs());
  const source = imageSource(pinned, task, context, { isScan: true, afresh });
  const content = await writer.writeContent(source, found.before, activity);
  const known = parent.database(found.logicalPath)?.reading;
  return {
    content,
    reading: readingOf(pinned, at, stillContradicted(pinned, known)),
    isPartial: task.patience.memoryOf(pinned)?.isUsed ?? false,
  };
}

/** The pages of the image: read as long as its log is not too long for it, and remembered. */
function imageSource(
  pinned: PinnedDatabase,
  { patience }: PinnedTask,
  { report }: DatabaseContext,
  way: { readonly isScan: boolean; readonly afresh: boolean },
): ContentSource {
  const metered = report.metered(pinned.image);
  const memory = patience.memoryOf(pinned);
  memory?.prepare(way);
  return {
    bytes: metered.bytes,
    read: (offset, lengthBytes, into) => {
      patience.assertBearable();
      return metered.read(offset, lengthBytes, into);
    },
    ...(memory === null
      ? {}
      : {
          knownId: (offset, lengthBytes) => memory.idAt(offset, lengthBytes),
          onStored: (offset, id) => memory.store(offset, id),
        }),
  };
}

type ReadingWithLog = ManifestReading & { readonly log: NonNullable<ManifestReading['log']> };

interface KnownImage {
  readonly content: Content;
  readonly reading: ReadingWithLog;
  readonly log: ReadingWithLog['log'];
}

/** The parent's image, where it may be built upon. */
function parentOf(
  pinned: PinnedDatabase,
  { found }: PinnedTask,
  { parent, fullScanEveryMs }: DatabaseContext,
): KnownImage | null {
  const record = parent.database(found.logicalPath);
  const { before: content } = found;
  if (record === undefined || content === null || fullScanEveryMs === 0) return null;
  if (!isWhole(record, content) || !record.check.ok) return null;
  const { reading } = record;
  const log = reading?.log ?? null;
  if (reading === undefined || log === null) return null;
  if (stillContradicted(pinned, reading) !== null) return null;
  return { content, reading: { ...reading, log }, log };
}

function isWhole({ pageBytes, pageCount }: ManifestDatabase, { bytes }: Content): boolean {
  return bytes === pageBytes * pageCount;
}

/** Positions of another run of the kernel are none: the file may not have come through as it was. */
function changedPages(pinned: PinnedDatabase, log: KnownImage['log']): ChangedPages | null {
  return log.bootId === currentBootId() ? pinned.changesSince(log) : null;
}

/** A clock set back makes it due as well. */
function isScanDue(
  { scannedAt }: ManifestReading,
  { clock, fullScanEveryMs }: DatabaseContext,
): boolean {
  const sinceMs = clock.nowMs() - Date.parse(scannedAt);
  return sinceMs < 0 || sinceMs >= fullScanEveryMs;
}

function readingOf(
  pinned: PinnedDatabase,
  scannedAt: string,
  contradictedAt: string | null,
): ManifestReading | undefined {
  const bootId = currentBootId();
  const position = bootId === null ? null : pinned.logPosition();
  if (position === null && contradictedAt === null) return undefined;
  const log = position === null || bootId === null ? null : { ...position, bootId };
  return { scannedAt, contradictedAt, log };
}

/** What was found about a file holds until another stands in its place. */
function stillContradicted(
  pinned: PinnedDatabase,
  known: ManifestReading | undefined,
): string | null {
  if (known === undefined || known.contradictedAt === null) return null;
  const now = pinned.logPosition();
  const isOther = now !== null && known.log !== null && now.inode !== known.log.inode;
  return isOther ? null : known.contradictedAt;
}

/** The first page of a chunk that differs though the log told of no change; null where there is none. */
async function firstContradiction(
  before: Content,
  now: Content,
  pages: ChangedPages,
  { writer }: DatabaseContext,
  { pageBytes }: PinnedDatabase,
): Promise<number | null> {
  let offset = 0;
  for await (const [known, read] of pairsOf(writer.reader, before, now)) {
    const lengthBytes = Math.min(CHUNK_BYTES, now.bytes - offset);
    const isSameLength = Math.min(CHUNK_BYTES, before.bytes - offset) === lengthBytes;
    const isClaimed = isSameLength && pages.isUnchanged(offset, lengthBytes, pageBytes);
    if (isClaimed && known !== read) return Math.floor(offset / pageBytes) + 1;
    offset += CHUNK_BYTES;
  }
  return null;
}

/** Chunk ids at the same places, as far as both go; ends early where the parent cannot be read. */
async function* pairsOf(
  reader: StoreReader,
  before: Content,
  now: Content,
): AsyncGenerator<[string, string]> {
  const known = reader.chunkIds(before)[Symbol.asyncIterator]();
  for await (const read of reader.chunkIds(now)) {
    const next = await known.next().catch(endOfDamage);
    if (next.done === true) return;
    yield [next.value, read];
  }
}

function endOfDamage(error: unknown): IteratorReturnResult<undefined> {
  if (error instanceof HoldfastError) return { done: true, value: undefined };
  throw error;
}

function contradicted(
  scanned: ReadImage,
  page: number,
  { scannedAt }: ManifestReading,
  { found }: PinnedTask,
  { report, clock }: DatabaseContext,
): ReadImage {
  report.warn(
    `${found.logicalPath} was written around SQLite: page ${page} or one close behind it changed after ${scannedAt} without its log. Snapshots since then may hold what stood there before; all of it is read from now on`,
  );
  const at = isoTime(clock.nowMs());
  const reading = { scannedAt: at, log: null, ...scanned.reading, contradictedAt: at };
  return { ...scanned, reading };
}
