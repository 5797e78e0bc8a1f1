import picomatch from 'picomatch';
import type { ContentSource } from '../store/store.ts';

const NEWLINE = 0x0a;

/** Lines of a log, JSONL for instance: how many line feeds it holds, and whether something follows the last. */
export interface LineCount {
  readonly lines: number;
  /** It was being written, or was cut short. */
  readonly endsPartial: boolean;
}

/** Which files are counted, by their logical paths. */
export function linePatterns(patterns: readonly string[]): (logicalPath: string) => boolean {
  return patterns.length === 0 ? () => false : picomatch([...patterns], { dot: true });
}

/** Counts while the bytes of a file go by, in order. */
export class LineCounter {
  #lines = 0;
  #last = NEWLINE;

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
      this.#lines += 1;
    }
    this.#last = bytes[bytes.length - 1]!;
  }

  get count(): LineCount {
    return { lines: this.#lines, endsPartial: this.#last !== NEWLINE };
  }

  /** The same source, counted as it is read. */
  counting(source: ContentSource): ContentSource {
    return {
      bytes: source.bytes,
      read: async (offset, lengthBytes, into) => {
        const bytes = await source.read(offset, lengthBytes, into);
        this.add(bytes);
        return bytes;
      },
    };
  }
}
