import type { CapturedFile } from './capture-file.ts';
import type { ListedEntry } from './select-files.ts';

/** Hashing and compressing go on in threads: a few files at a time keep them busy. */
const FILES_AT_ONCE = 16;

/**
 * Captures the small files of a directory some at a time, ahead of who takes them one by one in their order. None is
 * being captured between two calls: whoever takes them may open a database.
 */
export class SmallFiles {
  readonly #entries: readonly ListedEntry[];
  readonly #isWanted: (listed: ListedEntry) => boolean;
  readonly #capture: (listed: ListedEntry) => Promise<CapturedFile>;
  readonly #captured = new Map<number, CapturedFile>();

  /** `isWanted`: a small file that must be read. */
  constructor(
    entries: readonly ListedEntry[],
    isWanted: (listed: ListedEntry) => boolean,
    capture: (listed: ListedEntry) => Promise<CapturedFile>,
  ) {
    this.#entries = entries;
    this.#isWanted = isWanted;
    this.#capture = capture;
  }

  /** What became of the file at `index`; undefined for one that is not wanted. */
  async take(index: number): Promise<CapturedFile | undefined> {
    const listed = this.#entries[index]!;
    if (!this.#captured.has(index) && this.#isWanted(listed)) await this.#captureFrom(index);
    const captured = this.#captured.get(index);
    this.#captured.delete(index);
    return captured;
  }

  async #captureFrom(first: number): Promise<void> {
    const indexes: number[] = [];
    for (let index = first; index < this.#entries.length; index += 1) {
      const listed = this.#entries[index]!;
      // What is in it may take long: files behind it are read when their turn comes.
      if (indexes.length === FILES_AT_ONCE || listed.kind === 'directory') break;
      if (this.#isWanted(listed)) indexes.push(index);
    }
    const results = await Promise.allSettled(
      indexes.map(async (index) => {
        this.#captured.set(index, await this.#capture(this.#entries[index]!));
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
