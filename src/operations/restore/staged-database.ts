import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeDurably, syncDirectory, syncFile } from '../../files/durable.ts';
import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { type FamilyStat, statFamily } from '../../sqlite/family.ts';
import { type PinnedDatabase, pinDatabases } from '../../sqlite/pinned-read.ts';
import { extractContent } from '../../store/chunks/extract-content.ts';
import type { StoreReader } from '../../store/store.ts';
import type { OperationContext } from '../operation.ts';

/** Databases laid out as single files, to be read, changed or put in another's place. */

const BLOCK_BYTES = 1024 * 1024;
const BUSY_TIMEOUT_MS = 5_000;
/** In the header: the versions that reading and writing need; 2 is a write-ahead log, 1 a rollback journal. */
const VERSIONS_OFFSET = 18;

/**
 * The image of a snapshot's database as a new file that needs no log beside it: 0600, durable, gone again on failure.
 * `path` is logical, such as `data/app.db`.
 * @throws PATH_NOT_FOUND, INVALID_PARAMS for what is no database, VERIFY_FAILED, EEXIST
 */
export async function layOutDatabase(
  reader: StoreReader,
  snapshotId: string,
  path: string,
  to: string,
  activity: Activity,
): Promise<void> {
  const entry = await reader.findEntry(await reader.readManifest(snapshotId), path);
  if (entry.type !== 'database') {
    throw cannot('INVALID_PARAMS', 'read database', path, 'the snapshot has no database there', {
      hint: 'holdfast show lists the databases of a snapshot.',
    });
  }
  const { content } = entry;
  await writeNewFile(to, async (handle) => {
    let bytesDone = 0;
    const about = { phase: 'read database', currentFile: path, totalBytes: content.bytes };
    await extractContent(reader, content, handle, activity, (bytes) => {
      bytesDone += bytes;
      activity.progress({ ...about, bytesDone });
    });
  });
}

/**
 * A copy of a database that others may be using, idle or crashed ones included, as of one moment; its own files and
 * their directory stay as they are. Returns how the family stood before: if it still does later, nothing was written since.
 * @throws SOURCE_CORRUPT where SQLite does not read it, BUSY, PATH_NOT_FOUND, EEXIST
 */
export async function copyLiveDatabase(
  path: string,
  to: string,
  { activity, clock, scratchDirectory }: OperationContext,
): Promise<FamilyStat> {
  const { signal } = activity;
  const before = await statFamily(path);
  const pins = { scratchDirectory, timeoutMs: BUSY_TIMEOUT_MS, clock, signal };
  const pinned = await pinDatabases([path], pins);
  try {
    const [database] = pinned.databases as [PinnedDatabase];
    if (database.failure !== null) {
      throw cannot('SOURCE_CORRUPT', 'read database', path, database.failure, {
        hint: 'Recover it first: holdfast recover.',
      });
    }
    await writeNewFile(to, (handle) => copyImage(database, handle, activity));
  } finally {
    await pinned.close();
  }
  return before;
}

async function copyImage(
  { image, path }: PinnedDatabase,
  handle: FileHandle,
  activity: Activity,
): Promise<void> {
  for (let bytesDone = 0; bytesDone < image.bytes; ) {
    activity.signal.throwIfAborted();
    const block = await image.read(bytesDone, Math.min(BLOCK_BYTES, image.bytes - bytesDone));
    await handle.writeFile(block);
    bytesDone += block.length;
    const totalBytes = image.bytes;
    activity.progress({ phase: 'copy database', currentFile: path, bytesDone, totalBytes });
  }
}

/**
 * Marks an image as one that needs no log: where it says that it is in WAL mode, opening it would leave files beside it
 * that whoever carries it elsewhere must not lose. Nothing else is changed.
 */
export async function markAsRollbackMode(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const versions = Buffer.alloc(2);
    const { bytesRead } = await handle.read(versions, 0, 2, VERSIONS_OFFSET);
    if (bytesRead < 2 || versions[0] !== 2 || versions[1] !== 2) return;
    await handle.write(Buffer.from([1, 1]), 0, 2, VERSIONS_OFFSET);
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
}

async function writeNewFile(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  let isWritten = false;
  try {
    await write(handle);
    await syncFile(handle, path);
    isWritten = true;
  } finally {
    await handle.close();
    if (!isWritten) await removeDurably(path);
  }
  await syncDirectory(dirname(path));
}
