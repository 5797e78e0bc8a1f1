import type { Cell } from '../format/cell.ts';
import { isLeaf, type PageKind } from '../format/page.ts';
import type { PageSource } from '../format/page-source.ts';
import { mayBelongToTree } from '../format/pages-of-trees.ts';
import { type CellOrder, type Interval, keyOf, type OpenedCell, orderOf } from './cell-order.ts';
import type { Claims, PageRole } from './claims.ts';
import { readTreePage, type TreePage } from './tree-page.ts';
import type { BadCell, LostInterval, WalkEvent } from './walk-events.ts';

/** SQLite follows no tree deeper than this (BTCURSOR_MAX_DEPTH). */
const DEPTH_MAX = 20;

export interface CellPlace {
  readonly bytes: Buffer;
  readonly page: number;
  readonly cell: number;
  readonly interior: boolean;
}

/** What differs between the trees of rowid tables and those of indexes. */
export interface TreeShape<Key, Row> {
  readonly leafKind: PageKind;
  readonly interiorKind: PageKind;
  /** True where the cells of interior pages are rows, too. */
  readonly interiorRows: boolean;
  /** Null where the order of the tree is not known: then nothing is displaced. */
  readonly compare: ((left: Key, right: Key) => number) | null;
  open(cell: Cell, place: CellPlace): OpenedCell<Key, Row>;
}

interface Child<Key> extends Interval<Key> {
  readonly page: number;
  readonly parent: number;
  readonly depth: number;
}

interface OpenPage<Key, Row> extends TreePage, CellOrder<Key> {
  readonly child: Child<Key>;
  readonly cells: readonly (OpenedCell<Key, Row> | string)[];
}

type Step<Key, Row> = { readonly child: Child<Key> } | { readonly event: WalkEvent<Key, Row> };

/** Walks one tree, depth first. Every page is claimed before it is followed, so that any tree ends. */
export class TreeWalk<Key, Row> {
  readonly #source: PageSource;
  readonly #root: number;
  readonly #claims: Claims;
  readonly #shape: TreeShape<Key, Row>;
  /** Depth of the first leaf: all leaves have it. */
  #leafDepth: number | null = null;

  constructor(source: PageSource, root: number, claims: Claims, shape: TreeShape<Key, Row>) {
    this.#source = source;
    this.#root = root;
    this.#claims = claims;
    this.#shape = shape;
  }

  *events(): Generator<WalkEvent<Key, Row>> {
    const child = { page: this.#root, parent: 0, depth: 0, low: null, high: null };
    const steps: Step<Key, Row>[] = [{ child }];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if ('event' in step) {
        yield step.event;
        continue;
      }
      const open = this.#openPage(step.child);
      if (typeof open === 'string') {
        yield lost(step.child, open);
        continue;
      }
      yield* this.#faults(open);
      if (isLeaf(open.page.kind)) yield* this.#leaf(open);
      else for (const below of this.#stepsBelow(open).reverse()) steps.push(below);
    }
  }

  /** @returns why the page cannot be followed, where it cannot */
  #openPage(child: Child<Key>): OpenPage<Key, Row> | string {
    const { page: pageNumber, depth } = child;
    const schemaRoot = pageNumber === 1 && depth === 0;
    if (!schemaRoot && !mayBelongToTree(this.#source, pageNumber)) {
      return `page ${pageNumber} does not exist`;
    }
    if (depth > DEPTH_MAX) return 'the tree is deeper than any tree';
    const owner = this.#claims.ownerOf(pageNumber);
    if (owner !== null) return `page ${pageNumber} belongs to the tree of page ${owner.root}`;
    const read = readTreePage(this.#source, pageNumber);
    if (typeof read === 'string') return read;
    const { kind } = read.page;
    if (kind !== this.#shape.leafKind && kind !== this.#shape.interiorKind) {
      return `page ${pageNumber} is of kind ${kind}`;
    }
    const role: PageRole = depth === 0 ? 'root' : isLeaf(kind) ? 'leaf' : 'interior';
    this.#claims.claim(pageNumber, { root: this.#root, role });
    const interior = !isLeaf(kind);
    const cells = read.checked.cells.map((cell, index) =>
      cell.ok
        ? this.#openCell(cell, read, { bytes: read.bytes, page: pageNumber, cell: index, interior })
        : cell.fault,
    );
    return { ...read, child, cells, ...orderOf(cells, child, this.#shape.compare) };
  }

  #openCell(cell: Cell, { checked }: TreePage, place: CellPlace): OpenedCell<Key, Row> | string {
    if (checked.unallocated.has(place.cell)) return 'the cell lies in unallocated bytes';
    // The key of an interior page is worth nothing but for its place, and bytes of another cell have none.
    const keyOnly = place.interior && !this.#shape.interiorRows;
    if (keyOnly && checked.overlapping.has(place.cell)) return 'the cell shares bytes with another';
    return this.#shape.open(cell, place);
  }

  *#faults(open: OpenPage<Key, Row>): Generator<WalkEvent<Key, Row>> {
    const { child, faults, cellsMissing, between } = open;
    for (const why of faults) yield { type: 'page-fault', page: child.page, why };
    // Cell pointers are in key order: what is missing of them came after the last.
    if (cellsMissing) yield lost({ ...child, ...between.at(-1)! }, 'the page lost cell pointers');
  }

  *#leaf(open: OpenPage<Key, Row>): Generator<WalkEvent<Key, Row>> {
    const { page, depth, low, high } = open.child;
    this.#leafDepth ??= depth;
    if (depth !== this.#leafDepth) {
      yield { type: 'page-fault', page, why: 'the depth of the page differs from other leaves' };
    }
    yield { type: 'leaf', page, low, high, cellCount: open.cells.length };
    for (const index of open.cells.keys()) yield this.#rowAt(open, index);
  }

  #rowAt(open: OpenPage<Key, Row>, index: number): Row | BadCell<Key> {
    const cell = open.cells[index]!;
    if (typeof cell === 'string') return this.#badCell(open, index, null, cell);
    const displaced = !open.inPlace[index];
    // Bytes of another cell read as a cell of their own may look like a row: only its place can vouch for it.
    if (displaced && open.checked.overlapping.has(index)) {
      return this.#badCell(open, index, null, 'the cell shares bytes with another');
    }
    const row = cell.row(displaced ? open.between[index]! : null);
    return typeof row === 'string' ? this.#badCell(open, index, cell.key, row) : row;
  }

  /** The key of a cell lies between those of its neighbours that are in place. */
  #badCell(open: OpenPage<Key, Row>, index: number, key: Key | null, why: string): BadCell<Key> {
    const { low, high } = open.between[index]!;
    return { type: 'bad-cell', page: open.child.page, cell: index, key, low, high, why };
  }

  #stepsBelow(open: OpenPage<Key, Row>): Step<Key, Row>[] {
    const { child, page, cells } = open;
    const steps: Step<Key, Row>[] = [];
    const below = (pageNumber: number, index: number): Step<Key, Row> => {
      const { low, high } = open.between[index]!;
      const own = open.inPlace[index] ? keyOf(cells[index]) : null;
      const depth = child.depth + 1;
      return { child: { page: pageNumber, parent: child.page, depth, low, high: own ?? high } };
    };
    for (const [index, cell] of cells.entries()) {
      steps.push(below(leftChildAt(open, index), index));
      if (this.#shape.interiorRows) steps.push({ event: this.#rowAt(open, index) });
      else if (!open.inPlace[index]) {
        const why = typeof cell === 'string' ? cell : 'the key is out of order';
        steps.push({ event: this.#badCell(open, index, null, why) });
      }
    }
    steps.push(below(page.rightChild ?? 0, cells.length));
    return steps;
  }
}

function lost<Key>(child: Child<Key>, why: string): LostInterval<Key> {
  const { page, parent, low, high } = child;
  return { type: 'lost', page, parent, low, high, why };
}

/** The pointer of an interior cell, also where the rest of the cell is bad; 0 where there is none. */
function leftChildAt({ bytes, page, checked }: TreePage, index: number): number {
  if (checked.unallocated.has(index)) return 0;
  const offset = page.cellOffsets[index]!;
  return offset >= page.cellArrayEnd && offset + 4 <= bytes.length ? bytes.readUInt32BE(offset) : 0;
}
