import type { SqliteRecord } from '../format/record.ts';
import type { Integer } from '../format/varint.ts';
import type { Interval } from './cell-order.ts';

/** What a walk of a b-tree tells, in the order of the tree. Intervals are `(low, high]`; null: without a bound. */
export type WalkEvent<Key, Row> =
  | Row
  | LeafEvent<Key>
  | LostInterval<Key>
  | BadCell<Key>
  | PageFault;

export interface LeafEvent<Key> extends Interval<Key> {
  readonly type: 'leaf';
  readonly page: number;
  /** Cells that the page holds, sound or not. */
  readonly cellCount: number;
}

/** Keys whose page cannot be reached or read. */
export interface LostInterval<Key> extends Interval<Key> {
  readonly type: 'lost';
  /** The page that should hold them: one that was walked where it lost cells; 0 where even the pointer is lost. */
  readonly page: number;
  /** The page whose pointer leads there; 0 above a root. */
  readonly parent: number;
  readonly why: string;
}

/**
 * A row that cannot be read whole, or a key of an interior page that cannot be believed; the interval is that between
 * the keys in place around it.
 */
export interface BadCell<Key> extends Interval<Key> {
  readonly type: 'bad-cell';
  readonly page: number;
  /** Index among the cells of the page. */
  readonly cell: number;
  /** The key of the row, where that can still be read. */
  readonly key: Key | null;
  readonly why: string;
}

/** A page that is read all the same, though its structure is not sound. */
export interface PageFault {
  readonly type: 'page-fault';
  readonly page: number;
  readonly why: string;
}

interface StoredRow<Key> extends SqliteRecord {
  readonly type: 'row';
  readonly payload: Buffer;
  readonly page: number;
  readonly cell: number;
  /** Outside the interval or the order of its page: whole, but not where SQLite would look for it. */
  readonly displaced?: true;
  /** Of a displaced row: the keys in place around it. A row with a key between them may have become this one. */
  readonly gap?: Interval<Key>;
}

/** A row of a rowid table. An INTEGER PRIMARY KEY column is stored as NULL: its value is the rowid. */
export interface TableRow extends StoredRow<Integer> {
  readonly rowid: Integer;
}

/** An entry of an index, or a row of a WITHOUT ROWID table: its values begin with the key. */
export interface IndexRow extends StoredRow<IndexKey> {
  /** On an interior page, between two children. */
  readonly interior: boolean;
}

export type IndexKey = SqliteRecord['values'];
export type TableWalkEvent = WalkEvent<Integer, TableRow>;
export type IndexWalkEvent = WalkEvent<IndexKey, IndexRow>;
