import { closeSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freeBytes } from '../files/free-space.ts';
import { writeAll } from '../files/write-all.ts';
import { systemCode } from '../kernel/errors.ts';
import { DatabaseImage } from '../sqlite/database-image.ts';
import { HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import type { PinnedDatabase } from '../sqlite/pinned-read.ts';
import { openForReading, readAt } from '../sqlite/read-at.ts';
import type { DatabaseContext } from './database-task.ts';
import { hasSettled, rollbackState } from './rollback-state.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** A copy leaves at least as much room as it takes. */
const ROOM_FACTOR = 2;

type CopyContext = Pick<DatabaseContext, 'scratchDirectory' | 'activity' | 'clock'>;

/**
 * A copy of a rollback-mode database that is written all the time: its writers wait while it is brought up to date
 * under the lock, not while the database is hashed, stored and checked, which takes many times as long.
 *
 * It is made without the lock first, torn or not. Memory for a new file has to be found and cleared page by page;
 * to overwrite one that is in memory takes a fraction of that.
 */
export class DatabaseCopy {
  readonly path: string;
  readonly #directory: string;
  readonly #handle: FileHandle;
  /** Of the database as it was copied; null where it was being written. */
  #state: string | null;

  private constructor(directory: string, handle: FileHandle, state: string | null) {
    this.#directory = directory;
    this.path = copyIn(directory);
    this.#handle = handle;
    this.#state = state;
  }

  /**
   * Opens and closes the database: nothing may be pinned yet.
   * @returns null for what is in another mode, or where the scratch directory has no room for it
   * @throws ENOENT when it is gone, and the signal's reason
   */
  static async make(path: string, context: CopyContext): Promise<DatabaseCopy | null> {
    const isSettled = await hasSettled(path, context);
    const descriptor = openForReading(path);
    let image: DatabaseImage | null = null;
    try {
      const header = parseHeader(readAt(descriptor, 0, HEADER_BYTES));
      if (header?.journalMode !== 'rollback') return null;
      const { pageBytes, pageCount } = header;
      const bytes = pageBytes * pageCount;
      const state = isSettled ? await rollbackState(path, header) : null;
      image = new DatabaseImage({ main: descriptor, pageBytes, pageCount, bytes, wal: null });
      const made = await copyTo(context, image);
      if (made === null) return null;
      const isWhole = image.bytesRead === bytes;
      return new DatabaseCopy(made.directory, made.handle, isWhole ? state : null);
    } finally {
      await image?.idle();
      closeSync(descriptor);
    }
  }

  /**
   * Makes it the very image that is pinned.
   * @returns false where it cannot be written; it is of no use then
   */
  async catchUp(
    pinned: PinnedDatabase,
    { activity }: Pick<DatabaseContext, 'activity'>,
  ): Promise<boolean> {
    const state = await rollbackState(pinned.path, await pinned.readHeader());
    if (state === this.#state) return true;
    // Whatever stops this half-way: it is of no known state.
    this.#state = null;
    if (!(await overwrite(this.#handle, pinned.image, activity.signal))) return false;
    this.#state = state;
    return true;
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    await this.#handle.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const copyIn = (directory: string): string => join(directory, 'copy.db');

/** Null where there is no room. */
async function copyTo(
  { scratchDirectory, activity }: CopyContext,
  image: DatabaseImage,
): Promise<{ directory: string; handle: FileHandle } | null> {
  let directory: string | null = null;
  let handle: FileHandle | null = null;
  let isMade = false;
  try {
    if ((await freeBytes(scratchDirectory)) < ROOM_FACTOR * image.bytes) return null;
    directory = await mkdtemp(join(scratchDirectory, 'writers-'));
    handle = await open(copyIn(directory), 'wx', 0o600);
    isMade = await overwrite(handle, image, activity.signal);
    return isMade ? { directory, handle } : null;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return null;
  } finally {
    if (!isMade) {
      await handle?.close();
      if (directory !== null) await rm(directory, { recursive: true, force: true });
    }
  }
}

/** A block is read while the one before it is written. @returns false where it cannot be written */
async function overwrite(
  handle: FileHandle,
  image: DatabaseImage,
  signal: AbortSignal,
): Promise<boolean> {
  const blocks = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
  let writing: Promise<boolean> = Promise.resolve(true);
  try {
    for (let offset = 0; offset < image.bytes; offset += BLOCK_BYTES) {
      signal.throwIfAborted();
      const lengthBytes = Math.min(BLOCK_BYTES, image.bytes - offset);
      const block = blocks[(offset / BLOCK_BYTES) % 2];
      const bytes = await image.read(offset, lengthBytes, block);
      if (!(await writing)) return false;
      writing = isDone(writeAll(handle, bytes, offset));
    }
    return (await writing) && (await isDone(handle.truncate(image.bytes)));
  } finally {
    await writing;
  }
}

/** False for what the file system refuses. */
async function isDone(writing: Promise<void>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
