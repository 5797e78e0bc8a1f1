import { endianness } from 'node:os';
import { pageBytesOf } from './header.ts';
import { type WalChecksum, walChecksum } from './wal.ts';

/**
 * The start of `-shm`, in the byte order of the machine (https://www.sqlite.org/walformat.html#the_wal_index_header):
 * two copies of a 48-byte header, then, from offset 96, the checkpoint information that begins with `nBackfill`.
 */
export const WAL_INDEX_HEADER_BYTES = 96;
export const BACKFILL_OFFSET = 96;
const COPY_BYTES = 48;
const VERSION = 3_007_000;
const LITTLE_ENDIAN = endianness() === 'LE';

export interface WalIndexHeader {
  /** The 48 bytes: equal bytes are the same state, for they hold a counter of commits and the salts. */
  readonly bytes: Buffer;
  /** The newest committed frame; 0 when the log is empty. */
  readonly lastFrame: number;
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly salts: Buffer;
  /** Checksums in the log are sums over big-endian words. */
  readonly bigEndian: boolean;
  /** The running checksum after `lastFrame`. */
  readonly frameChecksum: WalChecksum;
}

/** @returns null while somebody writes it (the copies differ), and where it was never initialised */
export function parseWalIndexHeader(bytes: Buffer): WalIndexHeader | null {
  if (bytes.length < WAL_INDEX_HEADER_BYTES) return null;
  const copy = Buffer.from(bytes.subarray(0, COPY_BYTES));
  if (!copy.equals(bytes.subarray(COPY_BYTES, 2 * COPY_BYTES))) return null;
  if (nativeUInt32(copy, 0) !== VERSION || copy[12] === 0) return null;
  const [first, second] = walChecksum(copy.subarray(0, 40), !LITTLE_ENDIAN, [0, 0]);
  if (first !== nativeUInt32(copy, 40) || second !== nativeUInt32(copy, 44)) return null;
  const pageBytes = pageBytesOf(LITTLE_ENDIAN ? copy.readUInt16LE(14) : copy.readUInt16BE(14));
  const lastFrame = nativeUInt32(copy, 16);
  if (pageBytes === null && lastFrame > 0) return null;
  return {
    bytes: copy,
    lastFrame,
    pageBytes: pageBytes ?? 0,
    pageCount: nativeUInt32(copy, 20),
    frameChecksum: [nativeUInt32(copy, 24), nativeUInt32(copy, 28)],
    salts: copy.subarray(32, 40),
    bigEndian: copy[13] !== 0,
  };
}

/** A 32-bit field of shared memory. */
export function nativeUInt32(bytes: Buffer, offset: number): number {
  return LITTLE_ENDIAN ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}
