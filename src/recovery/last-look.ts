import { closeSync, fstatSync } from 'node:fs';
import { type FamilyStat, familyPaths, type MemberStat, statFamily } from '../sqlite/family.ts';
import { walOverlay } from '../sqlite/format/overlay.ts';
import { openForReading, readAt } from '../sqlite/read-at.ts';
import { parseWalHeader, WAL_HEADER_BYTES } from '../sqlite/wal.ts';
import type { LastLook } from './last-look-schema.ts';

/** Longer ones are not compared page by page. */
const WAL_BYTES_MAX = 256 * 1024 * 1024;
/** File times move in ticks: a write within the tick of the look would not show. */
const TICK_MS = 25;

const identityOf = ({ bytes, mtimeNs, device, inode }: MemberStat): string =>
  `${bytes} ${mtimeNs} ${device} ${inode}`;

interface Log {
  readonly salts: string;
  readonly frames: number;
  /** The database file does not have all of its pages. */
  readonly isAhead: boolean;
}

function readLog(path: string, compared: boolean): Log | null {
  const { main, wal } = familyPaths(path);
  const log = openForReading(wal);
  try {
    const header = parseWalHeader(readAt(log, 0, WAL_HEADER_BYTES));
    const overlay = header === null ? null : walOverlay(log);
    if (header === null || overlay === null) return null;
    const { walFrames: frames } = overlay;
    const salts = header.salts.toString('hex');
    return { salts, frames, isAhead: compared && isAhead(main, overlay) };
  } finally {
    closeSync(log);
  }
}

function isAhead(main: string, overlay: NonNullable<ReturnType<typeof walOverlay>>): boolean {
  const { pageBytes, pageCount, descriptor, offsetOf } = overlay;
  const file = openForReading(main);
  try {
    if (fstatSync(file).size !== pageBytes * pageCount) return true;
    for (let page = 1; page <= pageCount; page += 1) {
      const offset = offsetOf(page);
      if (offset === null) continue;
      const newer = readAt(descriptor, offset, pageBytes);
      if (!newer.equals(readAt(file, (page - 1) * pageBytes, pageBytes))) return true;
    }
    return false;
  } finally {
    closeSync(file);
  }
}

/**
 * Reads the files of the family by descriptor: no connection of this process may have it open.
 * @returns null where the database file has everything, or where it cannot be told
 */
export async function lookAt(path: string, nowMs: number): Promise<LastLook | null> {
  const before = await statFamily(path);
  if (before.main === null || before.wal === null) return null;
  if (before.wal.bytes === 0 || before.wal.bytes > WAL_BYTES_MAX) return null;
  try {
    const log = readLog(path, true);
    const after = await statFamily(path);
    const main = identityOf(before.main);
    if (log === null || !log.isAhead || after.main === null) return null;
    if (identityOf(after.main) !== main) return null;
    const mainWrittenMs = Number(before.main.mtimeNs / 1_000_000n);
    return { main, mainWrittenMs, salts: log.salts, frames: log.frames, atMs: nowMs };
  } catch {
    // A file that went away meanwhile: there is nothing to remember.
    return null;
  }
}

/** @returns what is gone since the look, in words; null when nothing is known to be */
export async function lostSince(
  path: string,
  stat: FamilyStat,
  look: LastLook,
): Promise<string | null> {
  if (stat.main === null || identityOf(stat.main) !== look.main) return null;
  if (Math.abs(look.atMs - look.mainWrittenMs) < TICK_MS) return null;
  const log = (stat.wal?.bytes ?? 0) === 0 ? null : readLog(path, false);
  if (log?.salts === look.salts && log.frames >= look.frames) return null;
  const state = log === null ? 'gone' : log.salts === look.salts ? 'cut short' : 'another one';
  return `its WAL, ${look.frames} frames at the check of ${new Date(look.atMs).toISOString()}, is ${state}, and the file was not written since`;
}
