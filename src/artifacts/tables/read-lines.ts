import { cannot } from '../../kernel/errors.ts';

/** One line of a file, without what ends it. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

/** Larger rows need a larger limit from whoever imports them. */
export const LINE_BYTES_MAX = 10 * 1024 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Cuts a stream into lines, and never holds more than one line and one piece of the stream. */
class LineCutter {
  readonly #lineBytesMax: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #number = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  *push(piece: Buffer): Generator<Line> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(LINE_FEED, start);
      this.#keep(piece.subarray(start, end === -1 ? piece.length : end));
      if (end === -1) return;
      yield this.#take();
      start = end + 1;
    }
  }

  /** What is left at the end is a line, too. */
  *end(): Generator<Line> {
    if (this.#pendingBytes > 0) yield this.#take();
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > this.#lineBytesMax) {
      throw cannot(
        'LIMIT_EXCEEDED',
        'import',
        `line ${this.#number + 1}`,
        `it is longer than ${this.#lineBytesMax} bytes`,
        {
          hint: 'Import with a larger limit for lines if the file is what you think it is.',
          details: { line: this.#number + 1 },
        },
      );
    }
    this.#pending.push(bytes);
  }

  #take(): Line {
    let bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#number += 1;
    if (this.#number === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
      bytes = bytes.subarray(3);
    }
    if (bytes.at(-1) === CARRIAGE_RETURN) bytes = bytes.subarray(0, -1);
    return { number: this.#number, bytes };
  }
}

/**
 * The lines of a stream, those of one piece of it at a time; they are valid until the next is asked for. A byte order
 * mark, and carriage returns before line feeds, are not part of them.
 * @throws LIMIT_EXCEEDED for a line longer than `lineBytesMax`, which is never held whole
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<{ readonly lines: Iterable<Line>; readonly bytes: number }> {
  const cutter = new LineCutter(lineBytesMax);
  for await (const piece of input) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    yield { lines: cutter.push(bytes), bytes: bytes.length };
  }
  yield { lines: cutter.end(), bytes: 0 };
}
