import { read } from 'node:fs';
import { promisify } from 'node:util';
import { PageFrames } from './page-frames.ts';
import { readAt, readInto } from './read-at.ts';
import { framePageOffset, readWalFrames, type WalLimit } from './wal.ts';

const readDescriptor = promisify(read);

/** A multiple of every page size, so that what is read are whole pages. */
const STEP_BYTES = 64 * 1024;
/** Read at once at most. */
const BLOCK_BYTES = 1024 * 1024;

export interface ImageParts {
  /** Descriptor of the database file. */
  readonly main: number;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Plaintext bytes; less than `pageCount × pageBytes` only for a file that is no whole database. */
  readonly bytes: number;
  /** The log that is laid over the file; null when the file alone is the state. */
  readonly wal: { readonly descriptor: number; readonly limit: WalLimit } | null;
}

/**
 * A database as of one moment: its pages in order, each from the newest frame that counts, else from the file.
 * It is exact as long as the read transaction that the parts were taken under lasts.
 */
export class DatabaseImage {
  readonly bytes: number;
  readonly #parts: ImageParts;
  #frames: PageFrames | null = null;
  #fault: string | null = null;
  /** The block that was read last: reads go forward. */
  #block: { readonly offset: number; readonly bytes: Buffer } | null = null;
  #bytesRead = 0;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(parts: ImageParts) {
    this.#parts = parts;
    this.bytes = parts.bytes;
  }

  /** What is wrong with the log though SQLite reads it: it does not check what the wal-index vouches for. */
  get fault(): string | null {
    this.#loadFrames();
    return this.#fault;
  }

  /** Bytes read so far from the files. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /**
   * Exactly `lengthBytes` from `offset`, in `into` where whole pages are asked for, else in memory that nobody changes
   * afterwards. One read at a time.
   */
  async read(offset: number, lengthBytes: number, into?: Buffer): Promise<Buffer> {
    if (offset < 0 || lengthBytes < 0 || offset + lengthBytes > this.bytes) {
      throw new RangeError(`No bytes ${offset}+${lengthBytes} in an image of ${this.bytes}`);
    }
    const reading =
      into !== undefined && this.#arePages(offset, lengthBytes)
        ? this.#fill(into.subarray(0, lengthBytes), offset)
        : this.#collect(offset, lengthBytes);
    this.#reading = reading.catch(() => {});
    return reading;
  }

  /** Resolves when no read is under way: before that, no descriptor may be closed. */
  async idle(): Promise<void> {
    await this.#reading;
  }

  #arePages(offset: number, lengthBytes: number): boolean {
    const end = offset + lengthBytes;
    return offset % STEP_BYTES === 0 && (end % STEP_BYTES === 0 || end === this.bytes);
  }

  async #fill(bytes: Buffer, start: number): Promise<Buffer> {
    await this.#readMain(bytes, start);
    this.#layOver(bytes, start);
    return bytes;
  }

  async #collect(offset: number, lengthBytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let done = 0; done < lengthBytes; ) {
      const block = await this.#blockAt(offset + done, lengthBytes - done);
      const start = offset + done - block.offset;
      const piece = block.bytes.subarray(start, start + lengthBytes - done);
      pieces.push(piece);
      done += piece.length;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, lengthBytes);
  }

  /** A block that holds the byte at `offset`, and no more than is needed for `lengthBytes` from there. */
  async #blockAt(offset: number, lengthBytes: number): Promise<{ offset: number; bytes: Buffer }> {
    const last = this.#block;
    if (last !== null && offset >= last.offset && offset < last.offset + last.bytes.length) {
      return last;
    }
    const start = offset - (offset % STEP_BYTES);
    const steps = Math.ceil((offset + lengthBytes - start) / STEP_BYTES) * STEP_BYTES;
    const bytes = Buffer.allocUnsafeSlow(Math.min(steps, BLOCK_BYTES, this.bytes - start));
    this.#block = { offset: start, bytes: await this.#fill(bytes, start) };
    return this.#block;
  }

  async #readMain(bytes: Buffer, start: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const length = bytes.length - done;
      const { bytesRead } = await readDescriptor(
        this.#parts.main,
        bytes,
        done,
        length,
        start + done,
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    // Pages that only the log holds stand beyond the end of the file.
    bytes.fill(0, done);
    this.#bytesRead += done;
  }

  #layOver(bytes: Buffer, start: number): void {
    const { wal, pageBytes } = this.#parts;
    if (wal === null) return;
    const frames = this.#loadFrames();
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const frame = frames.get((start + at) / pageBytes + 1);
      if (frame === 0) continue;
      const page = bytes.subarray(at, at + pageBytes);
      const got = readInto(wal.descriptor, page, framePageOffset(frame, pageBytes));
      if (got < pageBytes) throw new Error(`The log ends inside frame ${frame}`);
      this.#bytesRead += got;
    }
  }

  #loadFrames(): PageFrames {
    const { wal } = this.#parts;
    if (this.#frames !== null || wal === null) return this.#frames ?? NO_FRAMES;
    const found = readWalFrames(
      (offset, lengthBytes) => readAt(wal.descriptor, offset, lengthBytes),
      Number.MAX_SAFE_INTEGER,
      wal.limit,
    );
    this.#frames = found?.frames ?? NO_FRAMES;
    this.#fault = describeFault(found, wal.limit);
    return this.#frames;
  }
}

const NO_FRAMES = new PageFrames();

function describeFault(
  found: { lastFrame: number; badFrame: number | null } | null,
  limit: WalLimit,
): string | null {
  if (found === null || found.lastFrame < limit.lastFrame) {
    return `write-ahead log: ${limit.lastFrame} frames are committed, ${found?.lastFrame ?? 0} are there`;
  }
  return found.badFrame === null
    ? null
    : `write-ahead log: frame ${found.badFrame} fails its checksum`;
}
