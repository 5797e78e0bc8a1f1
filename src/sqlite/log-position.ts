import type { BigIntStats } from 'node:fs';
import { endianness } from 'node:os';
import type { PinnedState } from './pinned-state.ts';

/**
 * Where a database stood in its write-ahead log. The checksum of a frame is summed over all frames before it, so
 * that a log which still has this frame, with this checksum, is the same log up to there.
 */
export interface LogPosition {
  /** Of the database file, in decimal. */
  readonly device: string;
  readonly inode: string;
  readonly mtimeNs: string;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** 16 hex digits, as every frame of the log repeats them. */
  readonly salts: string;
  /** The newest committed frame, from 1. */
  readonly frame: number;
  /** 16 hex digits, as they stand in the header of that frame. */
  readonly checksum: string;
  /** Frames that a checkpoint had copied to the database file by then. */
  readonly backfilled: number;
}

const NATIVE_BIG_ENDIAN = endianness() === 'BE';

/** @param main what `fstat` says of the database file */
export function logPositionOf(state: PinnedState, main: BigIntStats): LogPosition | null {
  const { walIndex, pageBytes, pageCount, backfilled } = state;
  // A log that another machine began keeps its byte order, which the next one in its place need not.
  if (walIndex === null || walIndex.lastFrame === 0) return null;
  if (walIndex.bigEndian !== NATIVE_BIG_ENDIAN) return null;
  const checksum = Buffer.alloc(8);
  for (const [index, word] of walIndex.frameChecksum.entries()) {
    checksum.writeUInt32BE(word, index * 4);
  }
  return {
    device: String(main.dev),
    inode: String(main.ino),
    mtimeNs: String(main.mtimeNs),
    pageBytes,
    pageCount,
    salts: walIndex.salts.toString('hex'),
    frame: walIndex.lastFrame,
    checksum: checksum.toString('hex'),
    backfilled,
  };
}

/** False where a state cannot have come from another one through the log alone. */
export function mayFollow(before: LogPosition, now: PinnedState, main: BigIntStats): boolean {
  const { walIndex, backfilled } = now;
  if (walIndex === null || walIndex.bigEndian !== NATIVE_BIG_ENDIAN) return false;
  if (String(main.dev) !== before.device || String(main.ino) !== before.inode) return false;
  // Only a checkpoint writes the file itself: whoever else did so is not in the log.
  const isSameLog = walIndex.salts.toString('hex') === before.salts;
  const isWritten = String(main.mtimeNs) !== before.mtimeNs;
  return !(isWritten && isSameLog && backfilled <= before.backfilled);
}
