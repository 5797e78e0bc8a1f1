import { endianness } from 'node:os';
import type { LogNow } from '../log-changes.ts';
import type { LogPosition } from '../log-position.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES, type WalChecksum, walChecksum } from '../wal.ts';

const PAGE_BYTES = 512;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
const BIG_ENDIAN = endianness() === 'BE';

/** A write-ahead log written here, frame by frame, as SQLite writes it; every frame is a transaction. */
export class WrittenLog {
  #bytes = Buffer.alloc(0);
  #salts = Buffer.alloc(8);
  #checksum: WalChecksum = [0, 0];
  #lastFrame = 0;
  #pageCount = 0;

  /** Begins it anew in the same file. */
  begin(salt1: number, salt2: number, sequence: number): this {
    const header = Buffer.alloc(WAL_HEADER_BYTES);
    const fields = [BIG_ENDIAN ? 0x377f0683 : 0x377f0682, 3_007_000, PAGE_BYTES, sequence];
    for (const [index, field] of [...fields, salt1, salt2].entries()) {
      header.writeUInt32BE(field >>> 0, index * 4);
    }
    this.#checksum = walChecksum(header.subarray(0, 24), BIG_ENDIAN, [0, 0]);
    header.writeUInt32BE(this.#checksum[0], 24);
    header.writeUInt32BE(this.#checksum[1], 28);
    this.#salts = header.subarray(16, 24);
    this.#lastFrame = 0;
    this.#put(header, 0);
    return this;
  }

  commit(page: number, pageCount = 1_000): this {
    const frame = Buffer.alloc(FRAME_BYTES, page);
    frame.writeUInt32BE(page, 0);
    frame.writeUInt32BE(pageCount, 4);
    this.#salts.copy(frame, 8);
    const overHeader = walChecksum(frame.subarray(0, 8), BIG_ENDIAN, this.#checksum);
    this.#checksum = walChecksum(frame.subarray(FRAME_HEADER_BYTES), BIG_ENDIAN, overHeader);
    frame.writeUInt32BE(this.#checksum[0], 16);
    frame.writeUInt32BE(this.#checksum[1], 20);
    this.#put(frame, WAL_HEADER_BYTES + this.#lastFrame * FRAME_BYTES);
    this.#lastFrame += 1;
    this.#pageCount = pageCount;
    return this;
  }

  /** As the wal-index has it. */
  now(): LogNow {
    return {
      lastFrame: this.#lastFrame,
      pageBytes: PAGE_BYTES,
      pageCount: this.#pageCount,
      salts: Buffer.from(this.#salts),
      bigEndian: BIG_ENDIAN,
      frameChecksum: this.#checksum,
    };
  }

  position(): LogPosition {
    const checksum = Buffer.alloc(8);
    checksum.writeUInt32BE(this.#checksum[0], 0);
    checksum.writeUInt32BE(this.#checksum[1], 4);
    return {
      device: '1',
      inode: '1',
      mtimeNs: '1',
      pageBytes: PAGE_BYTES,
      pageCount: this.#pageCount,
      salts: this.#salts.toString('hex'),
      frame: this.#lastFrame,
      checksum: checksum.toString('hex'),
      backfilled: 0,
    };
  }

  readonly read = (offset: number, lengthBytes: number): Buffer => {
    const bytes = Buffer.allocUnsafeSlow(lengthBytes);
    return bytes.subarray(0, this.#bytes.copy(bytes, 0, offset, offset + lengthBytes));
  };

  #put(bytes: Buffer, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], end);
    bytes.copy(this.#bytes, offset);
  }
}
