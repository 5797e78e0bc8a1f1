import { damaged } from './archive-refusal.ts';

const EMPTY = Buffer.alloc(0);

/** Reads a stream of bytes in the portions that a format has, holding no more than one piece of it. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #piece: Buffer = EMPTY;

  constructor(source: AsyncIterable<Uint8Array>, name: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** Some bytes, at most `bytesMax`; none at the end. */
  async some(bytesMax: number): Promise<Buffer> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return EMPTY;
      this.#piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    const taken = this.#piece.subarray(0, bytesMax);
    this.#piece = this.#piece.subarray(taken.length);
    return taken;
  }

  /** Exactly `bytes`, or null when the stream has ended just before. @throws VERIFY_FAILED when it ends within */
  async exactlyOrEnd(bytes: number): Promise<Buffer | null> {
    const first = await this.some(bytes);
    if (first.length === 0 && bytes > 0) return null;
    if (first.length === bytes) return first;
    const pieces = [first];
    for (let missing = bytes - first.length; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece.length === 0) throw this.#cutOff();
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces, bytes);
  }

  /** @throws VERIFY_FAILED when the stream ends before */
  async exactly(bytes: number): Promise<Buffer> {
    const read = await this.exactlyOrEnd(bytes);
    if (read === null) throw this.#cutOff();
    return read;
  }

  async *stream(bytes: number): AsyncGenerator<Buffer, void> {
    for (let missing = bytes; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece.length === 0) throw this.#cutOff();
      missing -= piece.length;
      yield piece;
    }
  }

  async skip(bytes: number): Promise<void> {
    for (let missing = bytes; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece.length === 0) throw this.#cutOff();
      missing -= piece.length;
    }
  }

  /** Lets go of the source, read to its end or not. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  #cutOff(): Error {
    return damaged(this.#name, 'it ends too early');
  }
}
