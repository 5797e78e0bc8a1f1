/**
 * The longest selection of items that strictly increase: what of a sequence can be believed to be in order.
 * Items that are null are never selected.
 * @returns for each item, whether it belongs to the selection
 */
export function longestIncreasing<T>(
  items: readonly (T | null)[],
  compare: (left: T, right: T) => number,
): boolean[] {
  /** By length: the index of the smallest item that ends a selection of that length. */
  const ends: number[] = [];
  const before: number[] = [];
  for (const [index, item] of items.entries()) {
    before.push(-1);
    if (item === null) continue;
    const length = firstNotBelow(items, ends, item, compare);
    before[index] = length === 0 ? -1 : ends[length - 1]!;
    ends[length] = index;
  }
  const selected = items.map(() => false);
  for (let index = ends.at(-1) ?? -1; index >= 0; index = before[index]!) selected[index] = true;
  return selected;
}

function firstNotBelow<T>(
  items: readonly (T | null)[],
  ends: readonly number[],
  item: T,
  compare: (left: T, right: T) => number,
): number {
  // Sound sequences only ever grow.
  if (ends.length > 0 && compare(items[ends.at(-1)!]!, item) < 0) return ends.length;
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(items[ends[middle]!]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
