import { PageImage } from './page-image.ts';
import type { Rows } from './truth.ts';
import type { Family, World } from './world.ts';

interface StoredKey {
  readonly key: bigint;
  /** The leaf that holds the row. */
  readonly page: number;
}

/** `i17` → 17; null for keys that are no integers. */
const integerOf = (key: string): bigint | null =>
  /^i-?\d+$/.test(key) ? BigInt(key.slice(1)) : null;

function keysInOrder({ map }: World, table: string): StoredKey[] {
  const stored: StoredKey[] = [];
  for (const { owner, isIndex, role, page, rows } of map.pages) {
    if (owner !== table || isIndex || role === 'overflow') continue;
    for (const row of rows) {
      const key = integerOf(row);
      if (key !== null) stored.push({ key, page });
    }
  }
  return stored.sort((left, right) => (left.key < right.key ? -1 : 1));
}

/**
 * Rows of a result that had been deleted for all to see: their neighbours stand side by side on one leaf that the
 * damage left alone. Of tables with integer keys; where a log or journal lies over the file, the leaf is not looked for.
 */
export function provenDeleted(world: World, damaged: Family, result: Rows): string[] {
  if (damaged.wal !== null || damaged.journal !== null) return [];
  const image = new PageImage(damaged.main, world.after.pageBytes);
  const isUntouched = (page: number): boolean =>
    page <= image.pageCount && image.page(page).equals(world.after.page(page));
  const back: string[] = [];
  for (const [table, rows] of result) {
    const right = world.truth.rows.get(table);
    const stored = keysInOrder(world, table);
    for (const row of rows.keys()) {
      const key = integerOf(row);
      if (key === null || right?.has(row) !== false) continue;
      const above = stored.findIndex((each) => each.key > key);
      const [before, after] = [stored[above - 1], stored[above]];
      if (before === undefined || after?.page !== before.page) continue;
      if (isUntouched(before.page)) back.push(`${table} ${row}`);
    }
  }
  return back;
}
