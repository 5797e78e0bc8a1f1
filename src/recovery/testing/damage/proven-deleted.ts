import { Claims } from '../../../sqlite/btree/claims.ts';
import type { LeafEvent } from '../../../sqlite/btree/walk-events.ts';
import { walkTable } from '../../../sqlite/btree/walk-table.ts';
import { bufferSource } from '../../../sqlite/format/testing/buffer-source.ts';
import type { Integer } from '../../../sqlite/format/varint.ts';
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

/** `(low, high]`; null: without a bound. */
type LeafKeys = Pick<LeafEvent<Integer>, 'low' | 'high'>;

const isWithin = (key: bigint, { low, high }: LeafKeys): boolean =>
  (low === null || key > BigInt(low)) && (high === null || key <= BigInt(high));

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
 * Leaves that the damaged tree of a table still leads to, by page, with the keys it leads there for: any others are lost
 * to it. So are those where a row is missing that stands elsewhere: two states of the tree are mixed there.
 */
function reachedLeaves(world: World, image: PageImage, table: string): Map<number, LeafKeys> {
  const reached = new Map<number, LeafKeys>();
  const root = world.map.pages.find((each) => each.owner === table && each.role === 'root');
  if (root === undefined) return reached;
  const { encoding } = world.shape;
  const facts = { pageBytes: image.pageBytes, pageCount: image.pageCount, encoding };
  const source = bufferSource(image.bytes, { ...facts, reservedBytes: 0 });
  const displaced: bigint[] = [];
  for (const event of walkTable(source, root.page, new Claims())) {
    if (event.type === 'leaf') reached.set(event.page, event);
    if (event.type === 'row' && event.displaced === true) displaced.push(BigInt(event.rowid));
  }
  const isWhole = (keys: LeafKeys): boolean => !displaced.some((key) => isWithin(key, keys));
  return new Map([...reached].filter(([, keys]) => isWhole(keys)));
}

/**
 * Rows of a result that had been deleted for all to see: their neighbours stand side by side on one leaf that the
 * damage left alone, and that the tree still leads to for such keys. Of tables with integer keys; where a log or journal lies over the
 * file, the leaf is not looked for.
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
    const reached = reachedLeaves(world, image, table);
    for (const row of rows.keys()) {
      const key = integerOf(row);
      if (key === null || right?.has(row) !== false) continue;
      const above = stored.findIndex((each) => each.key > key);
      const [before, after] = [stored[above - 1], stored[above]];
      if (before === undefined || after?.page !== before.page) continue;
      const leaf = reached.get(before.page);
      const isLedTo = leaf !== undefined && isWithin(key, leaf);
      if (isLedTo && isUntouched(before.page)) back.push(`${table} ${row}`);
    }
  }
  return back;
}
