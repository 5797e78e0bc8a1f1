import { endianness } from 'node:os';
import { pageBytesOf } from './header.ts';
import { PageFrames } from './page-frames.ts';

/** The write-ahead log (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). */

export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
const FORMAT_VERSION = 3_007_000;
const BLOCK_BYTES = 1024 * 1024;
const NATIVE_BIG_ENDIAN = endianness() === 'BE';

export interface WalHeader {
  readonly pageBytes: number;
  /** Checksums are sums over big-endian words; otherwise over little-endian ones. */
  readonly bigEndian: boolean;
  readonly checkpointSequence: number;
  /** 8 bytes as they stand in the file: every valid frame repeats them. */
  readonly salts: Buffer;
  readonly checksum: WalChecksum;
}

export type WalChecksum = readonly [number, number];

export interface WalFrames {
  readonly header: WalHeader;
  /** The last frame that counts: the newest commit, or the limit that was given. 0: none. */
  readonly lastFrame: number;
  /** Size of the database after it, in pages; 0 when there is no frame. */
  readonly pageCount: number;
  readonly frames: PageFrames;
  /** Within a given limit: the first frame whose salts or checksum are wrong. */
  readonly badFrame: number | null;
  /** The running checksum after the last frame that was read. */
  readonly checksum: WalChecksum;
}

/** Reads bytes of a WAL; shorter than asked for only at its end. */
export type ReadBytes = (offset: number, lengthBytes: number) => Buffer;

/** Byte offset of the page that a frame holds; frames count from 1. */
export function framePageOffset(frame: number, pageBytes: number): number {
  return WAL_HEADER_BYTES + (frame - 1) * (FRAME_HEADER_BYTES + pageBytes) + FRAME_HEADER_BYTES;
}

/** @returns null where SQLite would ignore the log: no magic, unknown version, bad page size or checksum */
export function parseWalHeader(bytes: Buffer): WalHeader | null {
  if (bytes.length < WAL_HEADER_BYTES) return null;
  const magic = bytes.readUInt32BE(0);
  if ((magic & 0xfffffffe) >>> 0 !== MAGIC || bytes.readUInt32BE(4) !== FORMAT_VERSION) return null;
  const pageField = bytes.readUInt32BE(8);
  const pageBytes = pageField === 1 ? null : pageBytesOf(pageField);
  if (pageBytes === null) return null;
  const bigEndian = (magic & 1) === 1;
  const checksum = walChecksum(bytes.subarray(0, 24), bigEndian, [0, 0]);
  if (checksum[0] !== bytes.readUInt32BE(24) || checksum[1] !== bytes.readUInt32BE(28)) return null;
  return {
    pageBytes,
    bigEndian,
    checkpointSequence: bytes.readUInt32BE(12),
    salts: Buffer.from(bytes.subarray(16, 24)),
    checksum,
  };
}

/** Adds bytes, a multiple of 8, to a running checksum. */
export function walChecksum(bytes: Buffer, bigEndian: boolean, start: WalChecksum): WalChecksum {
  const words = wordsOf(bytes, bigEndian);
  let first = start[0] | 0;
  let second = start[1] | 0;
  for (let index = 0; index < words.length; index += 2) {
    first = (first + words[index]! + second) | 0;
    second = (second + words[index + 1]! + first) | 0;
  }
  return [first >>> 0, second >>> 0];
}

function wordsOf(bytes: Buffer, bigEndian: boolean): Uint32Array {
  if (bigEndian === NATIVE_BIG_ENDIAN && bytes.byteOffset % 4 === 0) {
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  const words = new Uint32Array(bytes.length / 4);
  for (let index = 0; index < words.length; index++) {
    words[index] = bigEndian ? bytes.readUInt32BE(index * 4) : bytes.readUInt32LE(index * 4);
  }
  return words;
}

/** What the wal-index says of a live log. SQLite believes it without looking at the log's own header again. */
export interface WalLimit {
  readonly lastFrame: number;
  readonly pageBytes: number;
  readonly bigEndian: boolean;
  readonly salts: Buffer;
}

/**
 * Reads the frames of a log. Without a limit it recovers as SQLite does after a crash: up to the last commit before
 * the first frame whose salts or checksum are wrong. With one, every frame up to it counts and faults are reported.
 * @returns null when the log has no valid header
 */
export function readWalFrames(
  read: ReadBytes,
  walBytes: number,
  limit?: WalLimit,
): WalFrames | null {
  const header = headerWithin(parseWalHeader(read(0, WAL_HEADER_BYTES)), limit);
  if (header === null) return null;
  const scan = new FrameScan(header, limit);
  const frameBytes = FRAME_HEADER_BYTES + header.pageBytes;
  const stored = Math.floor((walBytes - WAL_HEADER_BYTES) / frameBytes);
  const end = Math.min(stored, limit?.lastFrame ?? stored);
  const blockFrames = Math.max(1, Math.floor(BLOCK_BYTES / frameBytes));
  for (let frame = 1; frame <= end; frame += blockFrames) {
    const wanted = Math.min(blockFrames, end - frame + 1);
    const block = read(WAL_HEADER_BYTES + (frame - 1) * frameBytes, wanted * frameBytes);
    const got = Math.floor(block.length / frameBytes);
    for (let index = 0; index < got; index++) {
      const bytes = block.subarray(index * frameBytes, (index + 1) * frameBytes);
      if (!scan.add(frame + index, bytes)) return scan.result();
    }
    if (got < wanted) break;
  }
  return scan.result();
}

/** A damaged header of a live log costs the chain its start, not the frames: the first of them is then reported. */
function headerWithin(header: WalHeader | null, limit: WalLimit | undefined): WalHeader | null {
  if (limit === undefined) return header;
  const { pageBytes, bigEndian, salts } = limit;
  return {
    pageBytes,
    bigEndian,
    salts,
    checkpointSequence: header?.checkpointSequence ?? 0,
    checksum: header?.checksum ?? [0, 0],
  };
}

/** Takes frames one by one, keeping only whole transactions. */
class FrameScan {
  readonly #header: WalHeader;
  readonly #limit: WalLimit | undefined;
  readonly #frames = new PageFrames();
  /** Pages of the transaction whose commit frame has not come yet, in frame order. */
  #pending: number[] = [];
  #lastFrame = 0;
  #pageCount = 0;
  #badFrame: number | null = null;
  #checksum: WalChecksum;

  constructor(header: WalHeader, limit: WalLimit | undefined) {
    this.#header = header;
    this.#limit = limit;
    this.#checksum = header.checksum;
  }

  /** @returns false when the log ends before this frame */
  add(frame: number, bytes: Buffer): boolean {
    const page = bytes.readUInt32BE(0);
    const { bigEndian, salts } = this.#header;
    const overHeader = walChecksum(bytes.subarray(0, 8), bigEndian, this.#checksum);
    const checksum = walChecksum(bytes.subarray(FRAME_HEADER_BYTES), bigEndian, overHeader);
    const valid =
      page !== 0 &&
      bytes.subarray(8, 16).equals(salts) &&
      checksum[0] === bytes.readUInt32BE(16) &&
      checksum[1] === bytes.readUInt32BE(20);
    if (!valid) {
      if (this.#limit === undefined) return false;
      this.#badFrame ??= frame;
    }
    // After a fault the chain goes on from what the frame claims, so that one fault is told as one.
    this.#checksum = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    this.#pending.push(page);
    const pagesAfterCommit = bytes.readUInt32BE(4);
    if (pagesAfterCommit !== 0 || frame === this.#limit?.lastFrame) {
      this.#commit(frame, pagesAfterCommit);
    }
    return true;
  }

  #commit(frame: number, pageCount: number): void {
    const first = frame - this.#pending.length + 1;
    for (const [index, page] of this.#pending.entries()) this.#frames.set(page, first + index);
    this.#pending = [];
    this.#lastFrame = frame;
    this.#pageCount = pageCount;
  }

  result(): WalFrames {
    return {
      header: this.#header,
      lastFrame: this.#lastFrame,
      pageCount: this.#pageCount,
      frames: this.#frames,
      badFrame: this.#badFrame,
      checksum: this.#checksum,
    };
  }
}
