import { ChangedPages } from './changed-pages.ts';
import type { LogPosition } from './log-position.ts';
import {
  FRAME_HEADER_BYTES,
  parseWalHeader,
  type ReadBytes,
  WAL_HEADER_BYTES,
  type WalChecksum,
  walChecksum,
} from './wal.ts';
import type { WalIndexHeader } from './wal-index.ts';

const BLOCK_BYTES = 1024 * 1024;
/** Looked at behind the end of a log: one that is damaged there goes on after the damage. */
const FRAMES_BEHIND = 64;

/** What the wal-index says of the log now. */
export type LogNow = Pick<
  WalIndexHeader,
  'lastFrame' | 'pageBytes' | 'pageCount' | 'salts' | 'bigEndian' | 'frameChecksum'
>;

/**
 * Every page that was written since a position, from the frames of the log: of the same log, or of the one that was
 * begun in its place, once. docs/decisions/0018-change-map.md has the argument.
 *
 * The log may be begun anew while this reads it: every frame is verified as a link of one chain of checksums.
 * @returns null when that cannot be proven
 */
export function changesInLog(
  before: LogPosition,
  now: LogNow,
  read: ReadBytes,
): ChangedPages | null {
  if (now.pageBytes !== before.pageBytes || now.pageCount === 0) return null;
  const pages = new ChangedPages(before.pageCount);
  pages.addPageCount(now.pageCount);
  const salts = Buffer.from(before.salts, 'hex');
  const known: ChainEnd = { frame: before.frame, checksum: checksumOf(before.checksum) };
  const old: Chain = { read, salts, pages, pageBytes: now.pageBytes, bigEndian: now.bigEndian };
  if (!standsAt(old, before)) return null;
  if (now.salts.equals(salts)) return endsAt(now, follow(old, known, now.lastFrame)) ? pages : null;
  const isNext = now.salts.readUInt32BE(0) === (salts.readUInt32BE(0) + 1) >>> 0;
  // Frames are written in order: as long as the known one stands, all that followed it do.
  if (!isNext || now.lastFrame >= before.frame) return null;
  if (!isWholeTail(old, follow(old, known, null)) || !standsAt(old, before)) return null;
  if (now.lastFrame === 0) return pages;
  const header = parseWalHeader(read(0, WAL_HEADER_BYTES));
  // Sequence 0: the salts were drawn at random, and say nothing about what was there before.
  if (header?.salts.equals(now.salts) !== true || header.checkpointSequence === 0) return null;
  const start: ChainEnd = { frame: 0, checksum: header.checksum };
  return endsAt(now, follow({ ...old, salts: now.salts }, start, now.lastFrame)) ? pages : null;
}

/** A state that a read transaction holds; without frames it is the database file alone. */
export type HeldState = Pick<LogNow, 'lastFrame' | 'salts' | 'frameChecksum' | 'pageCount'>;

/**
 * Every page that was written since a state that a read transaction still holds. Nothing but what it does not need
 * can have been given up meanwhile: the log is the same, or was begun anew once.
 * @returns null where frames are damaged
 */
export function changesWhileHeld(
  held: HeldState,
  now: LogNow,
  read: ReadBytes,
): ChangedPages | null {
  const pages = new ChangedPages(held.pageCount);
  pages.addPageCount(now.pageCount);
  const { salts, pageBytes, bigEndian } = now;
  const chain: Chain = { read, salts, pages, pageBytes, bigEndian };
  let start: ChainEnd = { frame: held.lastFrame, checksum: held.frameChecksum };
  if (held.lastFrame === 0 || !held.salts.equals(salts)) {
    const header = parseWalHeader(read(0, WAL_HEADER_BYTES));
    if (header?.salts.equals(salts) !== true) return null;
    start = { frame: 0, checksum: header.checksum };
  }
  return endsAt(now, follow(chain, start, now.lastFrame)) ? pages : null;
}

interface Chain {
  readonly read: ReadBytes;
  readonly salts: Buffer;
  readonly pages: ChangedPages;
  readonly pageBytes: number;
  readonly bigEndian: boolean;
}

interface ChainEnd {
  /** The last frame that is a link. */
  readonly frame: number;
  readonly checksum: WalChecksum;
  /** Pages of the database where that frame ends a transaction, 0 where it does not; absent before the first. */
  readonly pageCount?: number;
}

/** Follows the chain and collects the pages of its frames: to `lastFrame`, or as far as it goes. */
function follow(chain: Chain, from: ChainEnd, lastFrame: number | null): ChainEnd {
  const frameBytes = FRAME_HEADER_BYTES + chain.pageBytes;
  const blockFrames = Math.max(1, Math.floor(BLOCK_BYTES / frameBytes));
  let end = from;
  for (;;) {
    const wanted = Math.min(blockFrames, (lastFrame ?? Number.POSITIVE_INFINITY) - end.frame);
    if (wanted <= 0) return end;
    const block = chain.read(frameOffset(end.frame + 1, frameBytes), wanted * frameBytes);
    const got = Math.floor(block.length / frameBytes);
    for (let index = 0; index < got; index++) {
      const next = link(chain, end, block.subarray(index * frameBytes, (index + 1) * frameBytes));
      if (next === null) return end;
      end = next;
    }
    if (got < wanted) return end;
  }
}

/** @returns null when these bytes are not the next frame */
function link({ salts, pages, bigEndian }: Chain, end: ChainEnd, bytes: Buffer): ChainEnd | null {
  if (!bytes.subarray(8, 16).equals(salts)) return null;
  const overHeader = walChecksum(bytes.subarray(0, 8), bigEndian, end.checksum);
  const checksum = walChecksum(bytes.subarray(FRAME_HEADER_BYTES), bigEndian, overHeader);
  if (checksum[0] !== bytes.readUInt32BE(16) || checksum[1] !== bytes.readUInt32BE(20)) return null;
  const frame = end.frame + 1;
  const pageCount = bytes.readUInt32BE(4);
  pages.add(bytes.readUInt32BE(0), frame);
  if (pageCount !== 0) pages.addPageCount(pageCount);
  return { frame, checksum, pageCount };
}

/** True while the log still holds the known frame. */
function standsAt({ read, salts, pageBytes }: Chain, { frame, checksum }: LogPosition): boolean {
  const offset = frameOffset(frame, FRAME_HEADER_BYTES + pageBytes);
  const header = read(offset, FRAME_HEADER_BYTES);
  return (
    header.length === FRAME_HEADER_BYTES &&
    header.subarray(8, 16).equals(salts) &&
    header.toString('hex', 16, 24) === checksum
  );
}

/**
 * True when this is all that a log was before another was begun in its place: a frame of an older one stands behind
 * it. Where the file ends there, it may have been cut (`journal_size_limit`); where the chain breaks inside a
 * transaction, or frames behind it claim to belong to it, something was given up there, or was damaged.
 */
function isWholeTail({ read, salts, pageBytes }: Chain, { frame, pageCount }: ChainEnd): boolean {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const behind = read(frameOffset(frame + 1, frameBytes), FRAMES_BEHIND * frameBytes);
  if (pageCount === 0 || behind.length < frameBytes) return false;
  for (let at = 0; at < behind.length; at += frameBytes) {
    if (behind.subarray(at + 8, at + 16).equals(salts)) return false;
  }
  return true;
}

function endsAt(now: LogNow, { frame, checksum }: ChainEnd): boolean {
  const [first, second] = now.frameChecksum;
  return frame === now.lastFrame && checksum[0] === first && checksum[1] === second;
}

function frameOffset(frame: number, frameBytes: number): number {
  return WAL_HEADER_BYTES + (frame - 1) * frameBytes;
}

function checksumOf(text: string): WalChecksum {
  const bytes = Buffer.from(text, 'hex');
  return [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
}
