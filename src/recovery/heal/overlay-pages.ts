import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { HEADER_BYTES, type TextEncoding } from '../../sqlite/header.ts';

/** Pages of a private copy, some of them replaced: nothing is written before `save`. */
export class OverlayPages implements PageSource {
  readonly pageBytes: number;
  readonly reservedBytes: number;
  readonly usableBytes: number;
  readonly pageCount: number;
  readonly encoding: TextEncoding;
  readonly autoVacuum: boolean;
  readonly #below: PageSource;
  readonly #replaced = new Map<number, Buffer>();

  constructor(below: PageSource) {
    this.pageBytes = below.pageBytes;
    this.reservedBytes = below.reservedBytes;
    this.usableBytes = below.usableBytes;
    this.pageCount = below.pageCount;
    this.encoding = below.encoding;
    this.autoVacuum = below.autoVacuum;
    this.#below = below;
  }

  read(page: number): Buffer | null {
    const replaced = this.#replaced.get(page);
    return replaced === undefined ? this.#below.read(page) : Buffer.from(replaced);
  }

  existingPages(): Iterable<number> {
    return this.#below.existingPages();
  }

  /** @param bytes a whole page, the caller's no more */
  replace(page: number, bytes: Buffer): void {
    this.#replaced.set(page, bytes);
  }

  /** Replaces what belongs to a tree: on page 1 the file header stays. */
  replaceTree(page: number, bytes: Buffer): void {
    const header = page === 1 ? this.read(1) : null;
    header?.copy(bytes, 0, 0, HEADER_BYTES);
    this.replace(page, bytes);
  }

  /** Writes the replaced pages into the file. */
  save(path: string): void {
    const handle = openSync(path, 'r+');
    try {
      for (const [page, bytes] of this.#replaced) {
        writeSync(handle, bytes, 0, bytes.length, (page - 1) * this.pageBytes);
      }
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  }
}
