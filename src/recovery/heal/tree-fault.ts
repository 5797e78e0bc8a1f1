import type { Cell } from '../../sqlite/format/cell.ts';
import type { Integer } from '../../sqlite/format/varint.ts';

/** A b-tree of the database. Index trees hold the rows of WITHOUT ROWID tables too. */
export interface Tree {
  readonly name: string;
  readonly root: number;
  readonly kind: 'table' | 'index';
}

/** Where a page stands, as those above it say. Keys lie in `(low, high]`; null: without a bound, or not known. */
export interface Position {
  readonly page: number;
  readonly above: Position | null;
  readonly low: Integer | null;
  readonly high: Integer | null;
  /** Of an overflow page: the cell on the page `above` the chain that the record starts in. */
  readonly cell: Cell | null;
}

/** Something that cannot be right. */
export interface TreeFault {
  readonly tree: Tree;
  readonly why: string;
  /** Which pages may be to blame, most likely first. */
  readonly suspects: readonly Position[];
  /** False for a page that is referred to twice: which of the two is wrong cannot be told from here. */
  readonly certain: boolean;
}
