import { StringDecoder } from 'node:string_decoder';
import { LOG_LINE_BYTES_MAX } from '../kernel/limits.ts';

/** Cuts a byte stream into lines of at most LOG_LINE_BYTES_MAX, however it is chopped up; holds one line. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #pending = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Buffer): void {
    const lines = (this.#pending + this.#decoder.write(bytes)).split('\n');
    this.#pending = lines.pop()!;
    for (const line of lines) this.#emit(line);
    // Characters, not bytes: never fewer bytes than this, so what is held stays bounded.
    if (this.#pending.length >= LOG_LINE_BYTES_MAX) {
      const pieces = splitLine(this.#pending);
      this.#pending = pieces.pop()!;
      for (const piece of pieces) this.#onLine(piece);
    }
  }

  /** The stream has ended: what is left is the last line. */
  end(): void {
    const rest = this.#pending + this.#decoder.end();
    this.#pending = '';
    if (rest !== '') this.#emit(rest);
  }

  #emit(line: string): void {
    for (const piece of splitLine(line.endsWith('\r') ? line.slice(0, -1) : line)) {
      this.#onLine(piece);
    }
  }
}

/** Pieces of at most LOG_LINE_BYTES_MAX bytes of UTF-8, never cut inside a character; one piece at least. */
export function splitLine(line: string): string[] {
  if (line.length * 3 <= LOG_LINE_BYTES_MAX) return [line];
  const bytes = Buffer.from(line, 'utf8');
  const pieces: string[] = [];
  let start = 0;
  do {
    let end = Math.min(start + LOG_LINE_BYTES_MAX, bytes.length);
    // Continuation bytes are 10xxxxxx: step back to where a character begins.
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end -= 1;
    pieces.push(bytes.toString('utf8', start, end));
    start = end;
  } while (start < bytes.length);
  return pieces;
}
