import { closeSync } from 'node:fs';
import { type Clock, sleep } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { familyPaths } from './family.ts';
import { openForReading, readAt } from './read-at.ts';
import { BACKFILL_OFFSET, nativeUInt32, parseWalIndexHeader } from './wal-index.ts';

const START_BYTES = BACKFILL_OFFSET + 4;
const LOOK_EVERY_MS = 5;

/**
 * Waits until a log was begun anew, or all of it was copied to the database, so that the next write begins it anew.
 * Opens and closes a file of the family: never call it where this process has an SQLite connection on it.
 * @param salts of the log as it was, 16 hex digits
 * @returns false when that did not happen in time: nobody checkpoints it, or another reader holds it
 */
export async function waitForLogReset(
  path: string,
  salts: string,
  timeoutMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  while (!isReset(path, salts)) {
    if (clock.monotonicMs() - startedMs >= timeoutMs) return false;
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
  return true;
}

function isReset(path: string, salts: string): boolean {
  const bytes = startOfIndex(familyPaths(path).shm);
  if (bytes === null) return true;
  const header = bytes.length < START_BYTES ? null : parseWalIndexHeader(bytes);
  // Somebody writes it just now.
  if (header === null) return false;
  if (header.salts.toString('hex') !== salts) return true;
  return nativeUInt32(bytes, BACKFILL_OFFSET) >= header.lastFrame;
}

/** Null where there is none: the last connection was closed, and the log is gone. */
function startOfIndex(path: string): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openForReading(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    return readAt(descriptor, 0, START_BYTES);
  } finally {
    closeSync(descriptor);
  }
}
