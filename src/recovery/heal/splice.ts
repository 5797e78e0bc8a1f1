import { decodePage } from '../../sqlite/format/page.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { HEADER_BYTES } from '../../sqlite/header.ts';
import type { OverlayPages } from './overlay-pages.ts';
import { cellsOf, isWithin } from './page-cells.ts';
import type { PageMap, PageRole } from './page-map.ts';
import type { Position, Tree, TreeFault } from './tree-fault.ts';

/** The snapshot's side: sound, and which page is what in it. */
export interface SnapshotPages {
  readonly source: PageSource;
  readonly map: PageMap;
}

/** The damaged side, as the last survey found it. */
export interface LivePages {
  readonly source: OverlayPages;
  readonly map: PageMap;
  readonly free: ReadonlySet<number>;
}

/** Pages of the snapshot that may take the place of damaged ones. */
export interface Splice {
  readonly role: PageRole;
  readonly tree: Tree;
  readonly pages: readonly number[];
}

/**
 * Whether a damaged page may be replaced by the same page of the snapshot: only where that was, and still is, the same
 * page of the same tree, its keys fit where it stands now, and what it refers to has no other owner by now.
 */
export class SpliceRules {
  readonly #live: LivePages;
  readonly #snapshot: SnapshotPages;
  /** Why the last fault could not be mended. */
  refusal = '';

  constructor(live: LivePages, snapshot: SnapshotPages) {
    this.#live = live;
    this.#snapshot = snapshot;
  }

  /** For the first suspect that may be replaced; null when none may. */
  spliceFor({ tree, suspects }: TreeFault): Splice | null {
    this.refusal = 'which page is wrong cannot be told';
    for (const suspect of suspects) {
      const splice = this.#spliceOf(tree, suspect);
      if (splice !== null) return splice;
    }
    return null;
  }

  #refuse(why: string): null {
    this.refusal = why;
    return null;
  }

  #spliceOf(tree: Tree, suspect: Position): Splice | null {
    const { page } = suspect;
    const place = this.#snapshot.map.placeOf(page);
    if (place === null) return this.#refuse(`the snapshot has no page ${page} of ${tree.name}`);
    if (place.root !== tree.root || (suspect.cell !== null) !== (place.role === 'overflow')) {
      return this.#refuse(`page ${page} is another page in the snapshot`);
    }
    const pages =
      suspect.cell === null ? this.#treePages(tree, suspect, place.role) : this.#chain(suspect);
    if (pages === null || pages.length === 0) return null;
    return { role: place.role, tree, pages };
  }

  #isSame(page: number): boolean {
    const live = this.#live.source.read(page);
    const known = this.#snapshot.source.read(page);
    // The file header is no part of the tree.
    const start = page === 1 ? HEADER_BYTES : 0;
    return live !== null && known?.subarray(start).equals(live.subarray(start)) === true;
  }

  #treePages(tree: Tree, suspect: Position, role: PageRole): number[] | null {
    const { page, above } = suspect;
    if (this.#isSame(page)) return this.#refuse(`page ${page} is as it was`);
    const fits = tree.kind === 'table' ? this.#keysFit(suspect) : this.#parentIsSame(page, above);
    if (!fits) return this.#refuse(`the keys of page ${page} have moved since the snapshot`);
    if (role === 'interior' && !this.#childrenAreFree(page)) {
      return this.#refuse(`a page below page ${page} has another owner now`);
    }
    const chains = this.#chainsOf(page);
    if (chains === null) return this.#refuse(`an overflow page of page ${page} has another owner`);
    return [page, ...chains];
  }

  #keysFit({ page, low, high }: Position): boolean {
    return cellsOf(this.#snapshot.source, page).every(
      ({ rowid }) => rowid !== null && isWithin(rowid, low, high),
    );
  }

  /** Keys of index trees are compared by collations that only SQLite knows: the same parent, the same interval. */
  #parentIsSame(page: number, above: Position | null): boolean {
    const parent = this.#snapshot.map.placeOf(page)?.parent ?? 0;
    return above === null ? parent === 0 : parent === above.page && this.#isSame(parent);
  }

  #isUnowned(page: number, holder: number): boolean {
    if (page > this.#live.source.pageCount || this.#live.free.has(page)) return false;
    const owner = this.#live.map.placeOf(page);
    return owner === null || owner.parent === holder || this.#live.map.holderOf(page) === holder;
  }

  #childrenAreFree(page: number): boolean {
    const { source } = this.#snapshot;
    const bytes = source.read(page);
    const decoded = bytes === null ? null : decodePage(bytes, page, source);
    if (decoded?.ok !== true) return false;
    const children = cellsOf(source, page).map(({ leftChild }) => leftChild);
    return [...children, decoded.rightChild].every(
      (child) => child !== null && this.#isUnowned(child, page),
    );
  }

  /** Overflow pages below a page of the snapshot that are not what they were; null when one has another owner. */
  #chainsOf(page: number): number[] | null {
    const changed: number[] = [];
    for (const { overflowPage } of cellsOf(this.#snapshot.source, page)) {
      if (overflowPage === null) continue;
      const chain = this.#changedFrom(overflowPage, page);
      if (chain === null) return null;
      changed.push(...chain);
    }
    return changed;
  }

  #changedFrom(first: number, holder: number): number[] | null {
    const changed: number[] = [];
    // The snapshot was surveyed: its chains end.
    for (let page = first; page !== 0; ) {
      if (!this.#isUnowned(page, holder)) return null;
      if (!this.#isSame(page)) changed.push(page);
      page = this.#snapshot.source.read(page)?.readUInt32BE(0) ?? 0;
    }
    return changed;
  }

  /** An overflow page, where its row is otherwise the row of the snapshot: never two ages in one row. */
  #chain({ page, above, cell }: Position): number[] | null {
    const { source, map } = this.#snapshot;
    if (above === null || cell === null || map.holderOf(page) !== above.page) {
      return this.#refuse(`overflow page ${page} had another owner`);
    }
    const bytes = source.read(above.page);
    const live = this.#live.source.read(above.page);
    const known = cellsOf(source, above.page).find(
      (each) => each.overflowPage === cell.overflowPage && each.rowid === cell.rowid,
    );
    if (bytes === null || live === null || known === undefined) {
      return this.#refuse(`the row of overflow page ${page} is not in the snapshot`);
    }
    const here = live.subarray(cell.offset, cell.offset + cell.lengthBytes);
    if (!bytes.subarray(known.offset, known.offset + known.lengthBytes).equals(here)) {
      return this.#refuse(`the row of overflow page ${page} has changed since the snapshot`);
    }
    const changed = this.#changedFrom(cell.overflowPage!, above.page);
    if (changed === null) return this.#refuse(`overflow pages of page ${page} have another owner`);
    return changed;
  }
}
