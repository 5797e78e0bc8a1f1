export type PageRole = 'root' | 'interior' | 'leaf' | 'overflow';

/** The tree that a page belongs to, by its root page, and what the page is in it. */
export interface PageOwner {
  readonly root: number;
  readonly role: PageRole;
}

const GROUP_PAGES = 1024;
const ROLES: readonly PageRole[] = ['root', 'interior', 'leaf', 'overflow'];

interface Group {
  readonly roots: Uint32Array;
  readonly roles: Uint8Array;
}

/** Which tree owns each page, for all trees of one database: a page has one owner, the first that claims it. */
export class Claims {
  readonly #groups = new Map<number, Group>();
  #size = 0;

  /** Pages that have an owner. */
  get size(): number {
    return this.#size;
  }

  ownerOf(page: number): PageOwner | null {
    const group = this.#groups.get(Math.floor(page / GROUP_PAGES));
    const root = group?.roots[page % GROUP_PAGES] ?? 0;
    if (group === undefined || root === 0) return null;
    return { root, role: ROLES[group.roles[page % GROUP_PAGES]!]! };
  }

  /** @returns false, and changes nothing, when the page has an owner already */
  claim(page: number, owner: PageOwner): boolean {
    if (this.ownerOf(page) !== null) return false;
    const number = Math.floor(page / GROUP_PAGES);
    let group = this.#groups.get(number);
    if (group === undefined) {
      group = { roots: new Uint32Array(GROUP_PAGES), roles: new Uint8Array(GROUP_PAGES) };
      this.#groups.set(number, group);
    }
    group.roots[page % GROUP_PAGES] = owner.root;
    group.roles[page % GROUP_PAGES] = ROLES.indexOf(owner.role);
    this.#size += 1;
    return true;
  }
}
