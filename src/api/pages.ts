import { createHash } from 'node:crypto';
import { cannot } from '../kernel/errors.ts';

/** Pages of lists. A cursor says where the page before ended and of which list it was. */

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** Items of one page stay below this together, whatever their number, so that any answer can be sent. */
export const PAGE_BYTES_MAX = 1024 * 1024;

const scopeOf = (scope: unknown): string =>
  createHash('sha256').update(JSON.stringify(scope)).digest('base64url').slice(0, 10);

export function encodeCursor(scope: unknown, position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([scopeOf(scope), ...position])).toString('base64url');
}

/** @throws INVALID_PARAMS when it is no cursor of this list */
export function decodeCursor(scope: unknown, cursor: string): readonly (string | number)[] {
  try {
    const [found, ...position] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const scalars = position.every((each: unknown) => ['string', 'number'].includes(typeof each));
    if (found === scopeOf(scope) && scalars) return position;
  } catch {
    // Not JSON, or no array: refused below, as a cursor of another list is.
  }
  throw cannot('INVALID_PARAMS', 'go on at cursor', cursor.slice(0, 100), 'it is of another list', {
    hint: 'Pass the nextCursor of the page before, with the same other params.',
  });
}

/** The leading items that fit together; at least one, if there is any. */
export function withinBytes<Item>(
  items: readonly Item[],
  bytesMax: number = PAGE_BYTES_MAX,
): readonly Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += Buffer.byteLength(JSON.stringify(item));
    return index > 0 && bytes > bytesMax;
  });
  return end === -1 ? items : items.slice(0, end);
}

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | null | undefined;
}

/** A page of a list that does not change while it is read; `scope` names the list. */
export function pageByPosition<Item, Row>(
  all: readonly Item[],
  { limit, cursor }: PageRequest,
  scope: unknown,
  toRow: (item: Item) => Row,
): Page<Row> {
  const start = cursor == null ? 0 : Number(decodeCursor(scope, cursor)[0]);
  const items = withinBytes(all.slice(start, start + limit).map(toRow));
  const end = start + items.length;
  return { items, nextCursor: end < all.length ? encodeCursor(scope, [end]) : null };
}

/**
 * A page of a list of records, newest first, that may gain and lose members between two pages: it goes on after
 * the last record seen, or, where that one is gone, with the first older one.
 */
export function pageByTime<Item, Row>(
  all: readonly Item[],
  { limit, cursor }: PageRequest,
  scope: unknown,
  keyOf: (item: Item) => { readonly id: string; readonly at: string },
  toRow: (item: Item) => Row,
): Page<Row> {
  const start = cursor == null ? 0 : startAfter(all.map(keyOf), decodeCursor(scope, cursor));
  const chosen = all.slice(start, start + limit);
  const items = withinBytes(chosen.map(toRow));
  const last = chosen[items.length - 1];
  if (last === undefined || start + items.length >= all.length) return { items, nextCursor: null };
  const { id, at } = keyOf(last);
  return { items, nextCursor: encodeCursor(scope, [id, at]) };
}

function startAfter(
  keys: readonly { readonly id: string; readonly at: string }[],
  [seenId, seenAt]: readonly (string | number)[],
): number {
  const seen = keys.findIndex(({ id }) => id === seenId);
  if (seen !== -1) return seen + 1;
  const older = keys.findIndex(({ at }) => at < String(seenAt));
  return older === -1 ? keys.length : older;
}
