import { longestIncreasing } from './increasing.ts';

/** A cell of a page that was opened: its key, and its row on demand. */
export interface OpenedCell<Key, Row> {
  /** Null where it cannot be read. */
  readonly key: Key | null;
  /**
   * The whole row, or why it cannot be read. Overflow pages are claimed here.
   * @param gap null for a row that is in place
   */
  row(gap: Interval<Key> | null): Row | string;
}

/** The keys `(low, high]`; null: without a bound. */
export interface Interval<Key> {
  readonly low: Key | null;
  readonly high: Key | null;
}

export interface CellOrder<Key> {
  /** For each cell, whether its key is in order and within the bounds of the page. */
  readonly inPlace: readonly boolean[];
  /** For each cell and the right child: the keys in place next to it, else the bounds of the page. */
  readonly between: readonly Interval<Key>[];
}

type Cells<Key, Row> = readonly (OpenedCell<Key, Row> | string)[];

/**
 * Which cells of a page are where they should be: the most that are within the bounds and in order.
 * @param compare null where the order is not known: then every cell with a key is in place
 */
export function orderOf<Key, Row>(
  cells: Cells<Key, Row>,
  bounds: Interval<Key>,
  compare: ((left: Key, right: Key) => number) | null,
): CellOrder<Key> {
  const inPlace = compare === null ? withKey(cells) : inOrder(cells, bounds, compare);
  return { inPlace, between: intervalsBetween(cells, inPlace, bounds) };
}

export function keyOf<Key, Row>(cell: OpenedCell<Key, Row> | string | undefined): Key | null {
  return typeof cell === 'object' ? cell.key : null;
}

function withKey<Key, Row>(cells: Cells<Key, Row>): boolean[] {
  return cells.map((cell) => keyOf(cell) !== null);
}

function inOrder<Key, Row>(
  cells: Cells<Key, Row>,
  { low, high }: Interval<Key>,
  compare: (left: Key, right: Key) => number,
): boolean[] {
  const keys = cells.map((cell) => {
    const key = keyOf(cell);
    const within =
      key !== null &&
      (low === null || compare(key, low) > 0) &&
      (high === null || compare(key, high) <= 0);
    return within ? key : null;
  });
  return longestIncreasing(keys, compare);
}

function intervalsBetween<Key, Row>(
  cells: Cells<Key, Row>,
  inPlace: readonly boolean[],
  bounds: Interval<Key>,
): Interval<Key>[] {
  const lows: (Key | null)[] = [];
  let { low, high } = bounds;
  for (const [index, cell] of cells.entries()) {
    lows.push(low);
    if (inPlace[index]) low = keyOf(cell);
  }
  const intervals: Interval<Key>[] = [{ low, high }];
  for (let index = cells.length - 1; index >= 0; index--) {
    intervals.push({ low: lows[index]!, high });
    if (inPlace[index]) high = keyOf(cells[index]);
  }
  return intervals.reverse();
}
