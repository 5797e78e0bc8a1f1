import type { ArchiveEntry } from './archive-entry.ts';
import { tooMuch } from './archive-refusal.ts';

/** How much an archive may become. */
export interface ExtractLimits {
  /** Files, directories and symlinks. */
  readonly entriesMax: number;
  /** Of all contents together. */
  readonly bytesMax: number;
  /** Of one content. */
  readonly fileBytesMax: number;
  /** Bytes of contents for each byte of the archive; counted from 64 MiB on. */
  readonly ratioMax: number;
}

export const EXTRACT_LIMITS: ExtractLimits = {
  entriesMax: 1_000_000,
  bytesMax: 2 ** 40,
  fileBytesMax: 2 ** 40,
  ratioMax: 200,
};

/** Below this, no ratio harms anybody. */
const HARMLESS_BYTES = 64 * 1024 * 1024;
/** All paths together are kept in memory. */
const PATH_BYTES_MAX = 256 * 1024 * 1024;
/** Headers and padding of an entry of a tar archive, pax headers of the largest size apart. */
const ENTRY_OVERHEAD_BYTES = 16 * 1024;

/** Counts what an archive becomes, by what it announces and by what it is. */
export class ExtractMeter {
  #entries = 0;
  #bytes = 0;
  readonly #limits: ExtractLimits;
  readonly #archive: string;
  readonly #archiveBytes: number;
  #pathBytes = 0;

  constructor(limits: ExtractLimits, archive: string, archiveBytes: number) {
    this.#limits = limits;
    this.#archive = archive;
    this.#archiveBytes = archiveBytes;
  }

  /** @throws LIMIT_EXCEEDED */
  checkEntries(entries: number): void {
    const { entriesMax } = this.#limits;
    if (entries <= entriesMax) return;
    throw tooMuch(this.#archive, `it has more than ${entriesMax} entries`, { entries, entriesMax });
  }

  /** Something that is no entry but would be read without end. @throws LIMIT_EXCEEDED */
  addExtension(): void {
    this.#entries += 1;
    this.checkEntries(this.#entries);
  }

  /** @throws LIMIT_EXCEEDED */
  add(entry: Pick<ArchiveEntry, 'path' | 'bytes'>): void {
    this.addExtension();
    const { bytesMax, fileBytesMax } = this.#limits;
    const { path, bytes } = entry;
    if (bytes > fileBytesMax) {
      throw tooMuch(path, `it is larger than ${fileBytesMax} bytes`, { bytes, fileBytesMax });
    }
    this.#bytes += bytes;
    if (this.#bytes > bytesMax) {
      const state = `it holds more than ${bytesMax} bytes`;
      throw tooMuch(this.#archive, state, { bytes: this.#bytes, bytesMax });
    }
    this.#checkRatio(this.#bytes);
    this.#pathBytes += Buffer.byteLength(path);
    if (this.#pathBytes > PATH_BYTES_MAX) {
      const details = { pathBytes: this.#pathBytes, pathBytesMax: PATH_BYTES_MAX };
      throw tooMuch(this.#archive, 'its paths are too long together', details);
    }
  }

  /** Passes on what a decoder makes of the archive, headers included. @throws LIMIT_EXCEEDED */
  async *decoded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    const { bytesMax, entriesMax } = this.#limits;
    const decodedMax = bytesMax + entriesMax * ENTRY_OVERHEAD_BYTES + HARMLESS_BYTES;
    let bytes = 0;
    for await (const piece of source) {
      bytes += piece.length;
      this.#checkRatio(bytes);
      if (bytes > decodedMax) {
        throw tooMuch(this.#archive, 'it never ends', { bytes, bytesMax: decodedMax });
      }
      yield piece;
    }
  }

  #checkRatio(bytes: number): void {
    const { ratioMax } = this.#limits;
    if (bytes <= HARMLESS_BYTES || bytes <= this.#archiveBytes * ratioMax) return;
    const state = `it becomes more than ${ratioMax} times as large`;
    const details = { bytes, archiveBytes: this.#archiveBytes, ratioMax };
    throw tooMuch(this.#archive, state, details);
  }
}
