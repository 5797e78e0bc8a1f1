import type { Activity } from '../../kernel/activity.ts';
import type { Cell } from '../../sqlite/format/cell.ts';
import { type BtreePage, decodePage, isLeaf } from '../../sqlite/format/page.ts';
import { checkPage } from '../../sqlite/format/page-check.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { decodeRecord } from '../../sqlite/format/record.ts';
import type { Integer } from '../../sqlite/format/varint.ts';
import { isWithin } from './page-cells.ts';
import { PageMap } from './page-map.ts';
import type { Position, Tree, TreeFault } from './tree-fault.ts';

export interface Survey {
  readonly map: PageMap;
  readonly faults: readonly TreeFault[];
  /** Rows that can be read, by root page; of index trees every entry. */
  readonly rows: ReadonlyMap<number, number>;
}

const DEPTH_MAX = 40;
const FAULTS_MAX = 10_000;
const PAGES_BETWEEN_LOOKS = 512;

/** Walks every page of the trees, strictly: what SQLite overlooks while it reads is a fault as well. */
export function surveyTrees(
  source: PageSource,
  trees: readonly Tree[],
  activity: Activity,
): Survey {
  const map = new PageMap(source.pageCount);
  const faults: TreeFault[] = [];
  const rows = new Map<number, number>();
  for (const tree of trees) {
    const walk = new TreeWalk(source, tree, map, faults, activity);
    walk.visit({ page: tree.root, above: null, low: null, high: null, cell: null }, 0);
    rows.set(tree.root, walk.rows);
  }
  return { map, faults, rows };
}

class TreeWalk {
  rows = 0;
  readonly #source: PageSource;
  readonly #tree: Tree;
  readonly #map: PageMap;
  readonly #faults: TreeFault[];
  readonly #activity: Activity;
  #leafDepth: number | null = null;
  #visited = 0;

  constructor(
    source: PageSource,
    tree: Tree,
    map: PageMap,
    faults: TreeFault[],
    activity: Activity,
  ) {
    this.#source = source;
    this.#tree = tree;
    this.#map = map;
    this.#faults = faults;
    this.#activity = activity;
  }

  #fault(why: string, suspects: readonly (Position | null)[], certain = true): void {
    if (this.#faults.length >= FAULTS_MAX) return;
    const named = suspects.filter((each) => each !== null);
    this.#faults.push({ tree: this.#tree, why, suspects: named, certain });
  }

  #exists(page: number): boolean {
    return page >= 1 && page <= this.#source.pageCount && (page > 1 || this.#tree.root === 1);
  }

  visit(position: Position, depth: number): void {
    const { page, above } = position;
    if ((this.#visited += 1) % PAGES_BETWEEN_LOOKS === 0) this.#activity.signal.throwIfAborted();
    if (depth > DEPTH_MAX) {
      this.#fault('the tree is too deep', [above], false);
      return;
    }
    if (!this.#exists(page)) {
      this.#fault(`page ${page} does not exist`, [above]);
      return;
    }
    const bytes = this.#source.read(page);
    const decoded = bytes === null ? null : decodePage(bytes, page, this.#source);
    const readable = decoded?.ok === true && decoded.kind.startsWith(this.#tree.kind);
    const role = readable && !isLeaf(decoded.kind) ? 'interior' : 'leaf';
    const parent = above?.page ?? 0;
    if (!this.#map.claim(page, { root: this.#tree.root, role, parent })) {
      this.#fault(`page ${page} is referred to twice`, [above, position], false);
      return;
    }
    if (bytes === null || !readable) {
      // The pointer may be wrong where it leads to a sound page of another kind.
      const suspects = decoded?.ok === true ? [position, above] : [position];
      this.#fault(`page ${page} is no page of its tree`, suspects);
      return;
    }
    this.#visitDecoded(position, depth, bytes, decoded);
  }

  #visitDecoded(position: Position, depth: number, bytes: Buffer, page: BtreePage): void {
    const { cells, faults } = checkPage(bytes, page, this.#source);
    if (faults.length > 0) this.#fault(`page ${position.page}: ${faults[0]!.fault}`, [position]);
    if (cells.length === 0 && position.above !== null) {
      this.#fault(`page ${position.page} is empty`, [position]);
    }
    if (isLeaf(page.kind)) this.#atLeafDepth(position, depth);
    let low = position.low;
    let ordered = true;
    for (const cell of cells) {
      if (!cell.ok) continue;
      if (cell.rowid !== null) {
        ordered &&= isWithin(cell.rowid, low, position.high);
        if (!isLeaf(page.kind)) this.#visitChild(position, cell.leftChild!, low, cell.rowid, depth);
        low = cell.rowid;
      } else if (cell.leftChild !== null) {
        this.#visitChild(position, cell.leftChild, null, null, depth);
      }
      this.#visitPayload(position, bytes, cell);
    }
    if (page.rightChild !== null) {
      this.#visitChild(position, page.rightChild, low, position.high, depth);
    }
    if (!ordered) {
      this.#fault(`page ${position.page}: keys out of order`, [position, position.above]);
    }
  }

  #visitChild(
    above: Position,
    page: number,
    low: Integer | null,
    high: Integer | null,
    depth: number,
  ): void {
    this.visit({ page, above, low, high, cell: null }, depth + 1);
  }

  #atLeafDepth(position: Position, depth: number): void {
    this.#leafDepth ??= depth;
    if (depth === this.#leafDepth) return;
    this.#fault(`page ${position.page} is a leaf at another depth`, [position, position.above]);
  }

  #visitPayload(position: Position, bytes: Buffer, cell: Cell): void {
    if (cell.payloadBytes === 0 && cell.rowid !== null && cell.leftChild !== null) return;
    this.rows += 1;
    if (cell.overflowPage !== null) {
      this.#visitChain(position, cell, cell.overflowPage);
      return;
    }
    const payload = bytes.subarray(cell.localOffset, cell.localOffset + cell.localBytes);
    const record = decodeRecord(payload, this.#source.encoding);
    if (record.ok) return;
    this.rows -= 1;
    this.#fault(`page ${position.page}: ${record.fault}`, [position]);
  }

  #visitChain(above: Position, cell: Cell, first: number): void {
    const { root } = this.#tree;
    const perPage = this.#source.usableBytes - 4;
    const needed = Math.ceil((cell.payloadBytes - cell.localBytes) / perPage);
    let holder: Position = above;
    let next = first;
    for (let index = 0; index < needed; index += 1) {
      const page = next;
      const broken = (why: string, suspects: readonly Position[], certain = true): void => {
        this.rows -= 1;
        this.#fault(why, suspects, certain);
      };
      if (page < 2 || page > this.#source.pageCount) {
        broken(`an overflow chain leads to page ${page}`, [holder]);
        return;
      }
      const position = { page, above, low: null, high: null, cell };
      if (!this.#map.claim(page, { root, role: 'overflow', parent: holder.page })) {
        broken(`overflow page ${page} is referred to twice`, [holder], false);
        return;
      }
      const bytes = this.#source.read(page);
      if (bytes === null || bytes.length < this.#source.pageBytes) {
        broken(`overflow page ${page} cannot be read`, [position]);
        return;
      }
      holder = position;
      next = bytes.readUInt32BE(0);
    }
    if (next !== 0) this.#fault(`an overflow chain goes on to page ${next}`, [holder]);
  }
}
