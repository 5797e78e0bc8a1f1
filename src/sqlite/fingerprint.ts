import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { systemCode } from '../kernel/errors.ts';
import { type FamilyStat, familyPaths, statFamily } from './family.ts';
import { HEADER_BYTES, parseHeader } from './header.ts';
import { openForReading, readAt, readStart } from './read-at.ts';
import { FRAME_HEADER_BYTES, parseWalHeader, WAL_HEADER_BYTES, type WalHeader } from './wal.ts';

/**
 * Equal fingerprints mean that nothing was written in between: size, mtime and change counter of the database file;
 * size, mtime and salts of the WAL, and the number and checksum of its last frame, which binds every frame before it.
 * An empty WAL counts as none. Reads at most a few dozen small pieces.
 *
 * Opens and closes descriptors of the family: never call it where this process has an SQLite connection on it.
 * @returns `missing` when there is no such file
 */
export async function databaseFingerprint(path: string): Promise<string> {
  return fingerprintOf(path, await statFamily(path));
}

/** What damage may have changed about a file that nobody wrote to, as it must have been before. */
export interface UndamagedFacts {
  readonly mainBytes?: number;
  readonly changeCounter?: number;
}

/**
 * The fingerprint of a copy, with the sizes and times of the original, and with what is known of the original before
 * it was damaged.
 * @param path of the copy's main file; its WAL stands beside it
 */
export function fingerprintOf(path: string, stat: FamilyStat, facts: UndamagedFacts = {}): string {
  if (stat.main === null) return 'missing';
  const main = { ...stat.main, bytes: facts.mainBytes ?? stat.main.bytes };
  return digest([
    ...statFields({ ...stat, main }),
    countersOf(path, facts.changeCounter),
    walState(path, stat),
  ]);
}

/** Both counters are written together since SQLite 3.7. */
function countersOf(path: string, changeCounter: number | undefined): string {
  if (changeCounter !== undefined) return `${changeCounter} ${changeCounter}`;
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  return header === null ? 'no header' : `${header.changeCounter} ${header.versionValidFor}`;
}

/** What `stat` alone can tell of the same: safe beside any connection, and in a process that may open nothing. */
export async function statFingerprint(path: string): Promise<string> {
  const stat = await statFamily(path);
  return stat.main === null ? 'missing' : digest(statFields(stat));
}

function statFields(stat: FamilyStat): string[] {
  const { main, wal } = stat;
  return [
    `${main?.bytes} ${main?.mtimeNs}`,
    wal === null || wal.bytes === 0 ? 'no wal' : `${wal.bytes} ${wal.mtimeNs}`,
  ];
}

function digest(fields: readonly string[]): string {
  return createHash('sha256').update(fields.join('\n')).digest('hex').slice(0, 32);
}

function walState(path: string, stat: FamilyStat): string {
  if (stat.wal === null || stat.wal.bytes === 0) return 'no wal';
  let descriptor: number;
  try {
    descriptor = openForReading(familyPaths(path).wal);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'no wal';
    throw error;
  }
  try {
    const header = parseWalHeader(readAt(descriptor, 0, WAL_HEADER_BYTES));
    if (header === null) return 'no wal header';
    return `${header.salts.toString('hex')} ${lastFrameState(descriptor, header, stat.wal.bytes)}`;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Frames written since the log was last reset carry its salts, and stand before all older ones: the last of them is
 * found by halving.
 */
function lastFrameState(descriptor: number, header: WalHeader, walBytes: number): string {
  const frameBytes = FRAME_HEADER_BYTES + header.pageBytes;
  const frameAt = (frame: number): Buffer =>
    readAt(descriptor, WAL_HEADER_BYTES + (frame - 1) * frameBytes, FRAME_HEADER_BYTES);
  let last = 0;
  let above = Math.floor((walBytes - WAL_HEADER_BYTES) / frameBytes) + 1;
  while (above - last > 1) {
    const middle = Math.floor((last + above) / 2);
    if (frameAt(middle).subarray(8, 16).equals(header.salts)) last = middle;
    else above = middle;
  }
  return last === 0 ? '0' : `${last} ${frameAt(last).subarray(16, 24).toString('hex')}`;
}
