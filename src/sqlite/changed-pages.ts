import { PageFrames } from './page-frames.ts';

/** Which pages of a database may have changed since a known state; all others are proven not to have. */
export class ChangedPages {
  readonly #frames = new PageFrames();
  #lowestPageCount: number;

  /** @param pageCount of the known state */
  constructor(pageCount: number) {
    this.#lowestPageCount = pageCount;
  }

  add(page: number, frame: number): void {
    this.#frames.set(page, frame);
  }

  /**
   * The database had this many pages after a commit. A page beyond them was gone: nothing here relies on its being
   * written again before it came back.
   */
  addPageCount(pageCount: number): void {
    this.#lowestPageCount = Math.min(this.#lowestPageCount, pageCount);
  }

  /** True when no page that these bytes of the database touch can have changed. */
  isUnchanged(offset: number, lengthBytes: number, pageBytes: number): boolean {
    const first = Math.floor(offset / pageBytes) + 1;
    const last = Math.ceil((offset + lengthBytes) / pageBytes);
    if (last > this.#lowestPageCount) return false;
    for (let page = first; page <= last; page++) {
      if (this.#frames.get(page) !== 0) return false;
    }
    return true;
  }
}
