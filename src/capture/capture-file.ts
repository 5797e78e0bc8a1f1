import type { BigIntStats } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isOpenedIn } from '../files/opened-place.ts';
import type { Activity } from '../kernel/activity.ts';
import { CHUNK_BYTES } from '../kernel/limits.ts';
import { isDatabaseHeader } from '../sqlite/header.ts';
import type { Content } from '../store/chunks/content.ts';
import type { SkipRecord } from '../store/manifests/manifest.ts';
import type { ContentSource, StoreWriter } from '../store/store.ts';
import type { FileEntry } from '../store/trees/tree-entry.ts';
import type { CaptureReport } from './capture-report.ts';
import { type LineCount, LineCounter } from './line-count.ts';
import { isSameState, OPEN_FLAGS, readSmallFile } from './read-small-file.ts';
import { LED_ELSEWHERE, type ListedEntry, skip, skipForError } from './select-files.ts';

export interface FileContext {
  readonly writer: StoreWriter;
  readonly report: CaptureReport;
  readonly activity: Activity;
  readonly scratchDirectory: string;
  /** Larger files are left out; null: none is. */
  readonly fileBytesMax: number | null;
  /** Whether a file is a log whose lines are counted. */
  readonly countsLines: (logicalPath: string) => boolean;
}

export type CapturedFile =
  | { readonly kind: 'file'; readonly entry: FileEntry }
  | { readonly kind: 'skipped'; readonly skip: SkipRecord }
  /** It is a database after all: nothing was stored. */
  | { readonly kind: 'database' };

/** Reads of a file that changes each time. */
const ATTEMPTS_MAX = 3;
const COPY_BLOCK_BYTES = 1024 * 1024;

/**
 * Stores an ordinary file. One that changes while it is read is read again; if it never holds still, what was read
 * last is kept, and marked.
 */
export async function captureFile(
  listed: ListedEntry,
  before: Content | null,
  context: FileContext,
): Promise<CapturedFile> {
  const small = isSmall(listed) ? await captureSmallFile(listed, before, context) : null;
  if (small !== null) return small;
  let handle: FileHandle;
  try {
    handle = await open(listed.path, OPEN_FLAGS);
  } catch (error) {
    return { kind: 'skipped', skip: skipForError(listed.logicalPath, error) };
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) {
      return { kind: 'skipped', skip: skip(listed.logicalPath, 'special-file') };
    }
    if (!isOpenedIn(handle.fd, dirname(listed.path), listed.path)) {
      return { kind: 'skipped', skip: skip(listed.logicalPath, 'vanished', LED_ELSEWHERE) };
    }
    if (await beginsAsDatabase(handle)) return { kind: 'database' };
    if (context.fileBytesMax !== null && stat.size > context.fileBytesMax) {
      return { kind: 'skipped', skip: skip(listed.logicalPath, 'too-large', `${stat.size} bytes`) };
    }
    return { kind: 'file', entry: await storeFile(handle, listed, before, context) };
  } catch (error) {
    if (!(error instanceof ReadFailure)) throw error;
    return { kind: 'skipped', skip: skip(listed.logicalPath, 'unreadable', error.message) };
  } finally {
    await handle.close();
  }
}

/** At most one chunk. */
export const isSmall = (listed: ListedEntry): boolean => listed.stat.size <= CHUNK_BYTES;

/** Null for what is more than a small file that holds still. */
async function captureSmallFile(
  listed: ListedEntry,
  before: Content | null,
  context: FileContext,
): Promise<CapturedFile | null> {
  const small = readSmallFile(listed.path);
  if (small === null) return null;
  const { stat, bytes } = small;
  if (bytes.length >= 16 && isDatabaseHeader(bytes.subarray(0, 16))) return { kind: 'database' };
  if (context.fileBytesMax !== null && stat.size > context.fileBytesMax) return null;
  const source = { bytes: bytes.length, read: () => bytes };
  const stored = await store(source, listed, before, context);
  return { kind: 'file', entry: fileEntry(listed.name, stat, stored, false) };
}

async function beginsAsDatabase(handle: FileHandle): Promise<boolean> {
  const start = Buffer.alloc(16);
  return (await readFrom(handle, 0, start)) === 16 && isDatabaseHeader(start);
}

async function storeFile(
  handle: FileHandle,
  listed: ListedEntry,
  before: Content | null,
  context: FileContext,
): Promise<FileEntry> {
  const { name } = listed;
  for (let attempt = 1; ; attempt++) {
    context.activity.signal.throwIfAborted();
    const stat = await handle.stat({ bigint: true });
    try {
      const source = fileSource(handle, Number(stat.size));
      const stored = await store(source, listed, before, context);
      const after = await handle.stat({ bigint: true });
      if (isSameState(stat, after)) return fileEntry(name, stat, stored, false);
      if (attempt >= ATTEMPTS_MAX) return fileEntry(name, stat, stored, true);
    } catch (error) {
      if (!(error instanceof ShrunkFile)) throw error;
      if (attempt >= ATTEMPTS_MAX) return storeCopy(handle, listed, before, context);
    }
  }
}

/** A file that shrinks under every read: a copy of whatever it holds has at least a length of its own. */
async function storeCopy(
  handle: FileHandle,
  listed: ListedEntry,
  before: Content | null,
  context: FileContext,
): Promise<FileEntry> {
  const directory = await mkdtemp(join(context.scratchDirectory, 'file-'));
  try {
    const copy = await open(join(directory, 'copy'), 'wx+', 0o600);
    try {
      const stat = await handle.stat({ bigint: true });
      const block = Buffer.allocUnsafeSlow(COPY_BLOCK_BYTES);
      for (let at = 0; ; ) {
        const bytesRead = await readFrom(handle, at, block);
        if (bytesRead === 0) break;
        await copy.writeFile(block.subarray(0, bytesRead));
        at += bytesRead;
      }
      const { size } = await copy.stat();
      const stored = await store(fileSource(copy, size), listed, before, context);
      return fileEntry(listed.name, stat, stored, true);
    } finally {
      await copy.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Stored {
  readonly content: Content;
  /** Null where lines are not counted. */
  readonly lines: LineCount | null;
}

async function store(
  source: ContentSource,
  { logicalPath }: ListedEntry,
  before: Content | null,
  { writer, report, activity, countsLines }: FileContext,
): Promise<Stored> {
  const counter = countsLines(logicalPath) ? new LineCounter() : null;
  const metered = report.metered(counter?.counting(source) ?? source);
  const content = await writer.writeContent(metered, before, activity);
  return { content, lines: counter?.count ?? null };
}

class ShrunkFile extends Error {}
/** The medium, not the snapshot, is at fault: the file is reported as unreadable. */
class ReadFailure extends Error {}

function fileSource(handle: FileHandle, bytes: number): ContentSource {
  return {
    bytes,
    read: async (offset, lengthBytes, into = Buffer.allocUnsafeSlow(lengthBytes)) => {
      const bytes = into.subarray(0, lengthBytes);
      if ((await readFrom(handle, offset, bytes)) < lengthBytes) throw new ShrunkFile();
      return bytes;
    },
  };
}

/** Fills `bytes` from `offset`. @returns the bytes read: fewer only at the end of the file */
async function readFrom(handle: FileHandle, offset: number, bytes: Buffer): Promise<number> {
  let bytesRead = 0;
  while (bytesRead < bytes.length) {
    const got = await handle
      .read(bytes, bytesRead, bytes.length - bytesRead, offset + bytesRead)
      .catch((error: Error) => {
        throw new ReadFailure(error.message, { cause: error });
      });
    if (got.bytesRead === 0) break;
    bytesRead += got.bytesRead;
  }
  return bytesRead;
}

function fileEntry(
  name: string,
  stat: BigIntStats,
  { content, lines }: Stored,
  changed: boolean,
): FileEntry {
  return {
    type: 'file',
    name,
    ...ownership(stat),
    content,
    ctimeNs: String(stat.ctimeNs),
    inode: String(stat.ino),
    ...(changed ? { changedWhileReading: true } : {}),
    ...(lines === null ? {} : { lines: lines.lines }),
    ...(lines?.endsPartial === true ? { endsPartial: true } : {}),
  };
}

/** The fields that entries of every type have. */
export function ownership(stat: BigIntStats): {
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: string;
} {
  return {
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeNs: String(stat.mtimeNs),
  };
}
