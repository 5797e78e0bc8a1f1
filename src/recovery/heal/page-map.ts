export type PageRole = 'interior' | 'leaf' | 'overflow';

/** What a page is: which tree it belongs to, by its root page, and which page points to it (0 above a root). */
export interface PagePlace {
  readonly root: number;
  readonly role: PageRole;
  readonly parent: number;
}

const ROLES: readonly PageRole[] = ['interior', 'leaf', 'overflow'];

/** The place of every page of one database: 9 bytes a page. */
export class PageMap {
  readonly #roots: Uint32Array;
  readonly #parents: Uint32Array;
  readonly #roles: Uint8Array;

  constructor(pageCount: number) {
    this.#roots = new Uint32Array(pageCount + 1);
    this.#parents = new Uint32Array(pageCount + 1);
    this.#roles = new Uint8Array(pageCount + 1);
  }

  placeOf(page: number): PagePlace | null {
    const root = this.#roots[page] ?? 0;
    if (root === 0) return null;
    return { root, role: ROLES[this.#roles[page]!]!, parent: this.#parents[page]! };
  }

  /** @returns false, and changes nothing, when the page has a place already */
  claim(page: number, { root, role, parent }: PagePlace): boolean {
    if (this.#roots[page] !== 0) return false;
    this.#roots[page] = root;
    this.#parents[page] = parent;
    this.#roles[page] = ROLES.indexOf(role);
    return true;
  }

  /** The b-tree page whose cell an overflow page belongs to; any other page is its own. */
  holderOf(page: number): number {
    let holder = page;
    // A page is claimed once, after the one that points to it: this ends.
    for (let place = this.placeOf(holder); place?.role === 'overflow'; ) {
      holder = place.parent;
      place = this.placeOf(holder);
    }
    return holder;
  }
}
