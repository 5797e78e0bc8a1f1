import { open } from 'node:fs/promises';
import type { Activity } from '../kernel/activity.ts';
import { shortId } from '../kernel/ids.ts';
import { familyPaths, statFamily } from '../sqlite/family.ts';
import type { DatabaseHeader } from '../sqlite/header.ts';
import { parseWalHeader, WAL_HEADER_BYTES } from '../sqlite/wal.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';

/**
 * A database that passes every check and yet holds less than its newest snapshot: emptied, an older copy put in its
 * place, its WAL lost or cut. SQLite sees a sound file.
 */

/** File times may lag behind the clock by a tick. */
const TICK_MS = 25;

function stepBack(header: DatabaseHeader, { database }: DatabaseSnapshot): string | null {
  if (header.schemaCookie < database.schemaCookie) {
    return `its schema version is ${header.schemaCookie}, the snapshot's is ${database.schemaCookie}`;
  }
  if (header.changeCounter < database.changeCounter) {
    return `its change counter is ${header.changeCounter}, the snapshot's is ${database.changeCounter}`;
  }
  return null;
}

async function readAll(
  handle: Awaited<ReturnType<typeof open>>,
  length: number,
  position: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** True when the main file alone is, byte for byte, the snapshot's image. Reads up to the first difference. */
async function isImage(
  path: string,
  snapshot: DatabaseSnapshot,
  snapshots: SnapshotDatabases,
  activity: Activity,
): Promise<boolean> {
  const { content } = await snapshots.entryOf(snapshot);
  const handle = await open(path, 'r');
  try {
    let offset = 0;
    for await (const chunk of snapshots.reader.readContent(content)) {
      activity.signal.throwIfAborted();
      if (!(await readAll(handle, chunk.length, offset)).equals(chunk)) return false;
      offset += chunk.length;
    }
    return true;
  } finally {
    await handle.close();
  }
}

async function walIsUsable(path: string, atLeastBytes: number): Promise<boolean> {
  const wal = (await statFamily(path)).wal;
  if (wal === null || wal.bytes < atLeastBytes) return false;
  const handle = await open(familyPaths(path).wal, 'r');
  try {
    return parseWalHeader(await readAll(handle, WAL_HEADER_BYTES, 0)) !== null;
  } finally {
    await handle.close();
  }
}

/**
 * The main file was not written since the snapshot, so that all of the snapshot must be in it or in a WAL at least
 * as long as the one of then.
 */
async function lostWal(
  path: string,
  snapshot: DatabaseSnapshot,
  snapshots: SnapshotDatabases,
  activity: Activity,
): Promise<string | null> {
  const { walBytes } = snapshot.database;
  const main = (await statFamily(path)).main;
  if (walBytes === 0 || main === null) return null;
  const writtenMs = Number(main.mtimeNs / 1_000_000n);
  if (writtenMs > Date.parse(snapshot.capturedAt) - TICK_MS) return null;
  if (await walIsUsable(path, walBytes)) return null;
  if (await isImage(path, snapshot, snapshots, activity)) return null;
  return `its WAL, ${walBytes} bytes then, is lost or cut`;
}

/**
 * Compares a sound database that nobody uses with its newest snapshot. No connection of this process may have it open.
 * @param header of the state with its WAL applied; null for an empty file
 * @returns what went back in time, in words, or null
 */
export async function findRegression(
  path: string,
  header: DatabaseHeader | null,
  snapshot: DatabaseSnapshot,
  snapshots: SnapshotDatabases,
  activity: Activity,
): Promise<string | null> {
  const since = `snapshot ${shortId(snapshot.id)} of ${snapshot.capturedAt}`;
  if (header === null) {
    const pages = snapshot.database.pageCount;
    return pages === 0 ? null : `the file is empty; ${since} has ${pages} pages`;
  }
  const found = stepBack(header, snapshot) ?? (await lostWal(path, snapshot, snapshots, activity));
  return found === null ? null : `older than ${since}: ${found}`;
}
