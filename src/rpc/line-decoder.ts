/** Splits a byte stream into lines. What it holds back is at most `lineBytesMax` and the last chunk pushed. */

const NEWLINE = 0x0a;
const INITIAL_BYTES = 4096;
const NOTHING: Buffer = Buffer.alloc(0);

export class LineDecoder {
  readonly #lineBytesMax: number;
  /** The start of a line whose newline has not come; its first `#heldBytes` bytes count. */
  #held = NOTHING;
  #heldBytes = 0;
  /** Pushed, but not looked at yet. */
  #rest = NOTHING;

  /** `lineBytesMax` counts the newline. */
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** The next whole line without its newline; null when more bytes are needed; `overflow` for good once a line is too long. */
  next(): Buffer | null | 'overflow' {
    const end = this.#rest.indexOf(NEWLINE);
    const addedBytes = end === -1 ? this.#rest.length : end;
    if (this.#heldBytes + addedBytes >= this.#lineBytesMax) return 'overflow';
    if (end === -1) {
      this.#hold(this.#rest);
      this.#rest = NOTHING;
      return null;
    }
    const piece = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end + 1);
    if (this.#heldBytes === 0) return piece;
    this.#hold(piece);
    const line = this.#held.subarray(0, this.#heldBytes);
    this.#held = NOTHING;
    this.#heldBytes = 0;
    return line;
  }

  /** Bytes of a line that has begun and not ended. */
  get unfinishedBytes(): number {
    return this.#heldBytes + this.#rest.length;
  }

  // One buffer that doubles: a peer that sends byte by byte costs neither a buffer per byte nor quadratic copying.
  #hold(bytes: Buffer): void {
    const neededBytes = this.#heldBytes + bytes.length;
    if (neededBytes > this.#held.length) {
      const grown = Buffer.allocUnsafe(
        Math.max(neededBytes, Math.min(this.#held.length * 2, this.#lineBytesMax), INITIAL_BYTES),
      );
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = neededBytes;
  }
}
