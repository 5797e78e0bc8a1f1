const GROUP_PAGES = 256;

/**
 * Which WAL frame holds each page. Frames are kept in groups of 256 pages, so memory follows the pages that the
 * WAL touches (at most 1 KiB each), and never exceeds 4 bytes for every page of the database.
 */
export class PageFrames {
  readonly #groups = new Map<number, Uint32Array>();

  /** Page numbers and frame numbers count from 1; a later frame of a page replaces an earlier one. */
  set(page: number, frame: number): void {
    const group = Math.floor(page / GROUP_PAGES);
    let frames = this.#groups.get(group);
    if (frames === undefined) {
      frames = new Uint32Array(GROUP_PAGES);
      this.#groups.set(group, frames);
    }
    frames[page % GROUP_PAGES] = frame;
  }

  /** The frame of a page; 0 when the database file holds it. */
  get(page: number): number {
    return this.#groups.get(Math.floor(page / GROUP_PAGES))?.[page % GROUP_PAGES] ?? 0;
  }

  /** Pages beyond `page` that have a frame, in order. */
  *pagesAfter(page: number): Generator<number> {
    const groups = [...this.#groups.keys()].sort((left, right) => left - right);
    for (const group of groups) {
      for (const [index, frame] of this.#groups.get(group)!.entries()) {
        const number = group * GROUP_PAGES + index;
        if (frame !== 0 && number > page) yield number;
      }
    }
  }
}
