import { closeSync, openSync, writeSync } from 'node:fs';
import { type BtreePage, decodePage, isLeaf } from '../sqlite/format/page.ts';
import { checkPage } from '../sqlite/format/page-check.ts';
import { type FilePageSource, openPageSource } from '../sqlite/format/page-source.ts';
import type { Integer } from '../sqlite/format/varint.ts';
import type { SchemaObject } from './damage.ts';
import { type PagePosition, positionsOf } from './damaged-page.ts';
import { isWithin } from './heal/page-cells.ts';

import type { StoredPages } from './snapshot-pages.ts';

/** A page that the snapshot can stand in for, with how many rows or entries come with it. */
export interface StandIn {
  readonly page: number;
  readonly root: number;
  readonly bytes: Buffer;
  readonly cells: number;
  /** Of the rows that come with the page of a table. */
  readonly rowids: readonly Integer[];
}

/** `btreeInitPage() returns error`: SQLite could not make sense of the page itself, and named it. */
const NAMED = /^Tree (\d+) page (\d+): btreeInitPage\(\) returns error code \d+$/;
/** What follows from a page that cannot be read: entries without rows, pages that only it referred to. */
const CONSEQUENCE =
  /^(?:row \d+ missing from index .+|wrong # of entries in index .+|Page \d+: never used|database disk image is malformed)$/s;

/** Damaged pages by the root page of their tree; null where anything else is wrong as well. */
export function namedPages(messages: readonly string[]): Map<number, Set<number>> | null {
  const named = new Map<number, Set<number>>();
  for (const message of messages) {
    const match = NAMED.exec(message);
    if (match === null) {
      if (CONSEQUENCE.test(message)) continue;
      return null;
    }
    const [root, page] = [Number(match[1]), Number(match[2])];
    if (root === page || page === 1) return null;
    named.set(root, (named.get(root) ?? new Set()).add(page));
  }
  return named.size === 0 ? null : named;
}

/** The snapshot's page, where it stood at the same place of the same tree then; null where it did not. */
async function standInFor(
  position: PagePosition,
  isTable: boolean,
  live: FilePageSource,
  stored: StoredPages,
): Promise<StandIn | null> {
  const { page, root, path, low, high } = position;
  const damaged = live.read(page);
  // Of a page with anything left on it, rows newer than the snapshot may be had.
  if (damaged !== null && decodePage(damaged, page, live).ok) return null;
  for (const [depth, holder] of path.entries()) {
    const below = path[depth + 1] ?? page;
    if (!(await refersTo(stored, holder, below, live))) return null;
  }
  const bytes = await stored.read(page);
  const decoded = bytes === null ? null : decodePage(bytes, page, live);
  if (bytes === null || decoded?.ok !== true || !isLeaf(decoded.kind)) return null;
  const { cells, faults } = checkPage(bytes, decoded, live);
  if (faults.length > 0) return null;
  // Keys of a table without row ids are compared by collations that only SQLite knows: the same parent, the same bounds.
  const parent = path.at(-1)!;
  const bounded = !isTable || decoded.kind === 'table-leaf';
  if (!bounded && live.read(parent)?.equals((await stored.read(parent))!) !== true) return null;
  for (const cell of cells) {
    if (!cell.ok) return null;
    if (cell.rowid !== null && !isWithin(cell.rowid, low, high)) return null;
    if (cell.overflowPage === null) continue;
    const beyond = Math.ceil((cell.payloadBytes - cell.localBytes) / (live.usableBytes - 4));
    if (!(await isSameChain(cell.overflowPage, beyond, live, stored))) return null;
  }
  const rowids = cells.flatMap((cell) => (cell.ok && cell.rowid !== null ? [cell.rowid] : []));
  return { page, root, bytes, cells: cells.length, rowids };
}

/** Whether the snapshot's page is an interior one that has the other below it. */
async function refersTo(
  stored: StoredPages,
  holder: number,
  child: number,
  live: FilePageSource,
): Promise<boolean> {
  const bytes = await stored.read(holder);
  const decoded = bytes === null ? null : decodePage(bytes, holder, live);
  if (bytes === null || decoded?.ok !== true || decoded.rightChild === null) return false;
  return decoded.rightChild === child || hasChild(bytes, decoded, child, live);
}

function hasChild(bytes: Buffer, decoded: BtreePage, child: number, live: FilePageSource): boolean {
  return checkPage(bytes, decoded, live).cells.some((cell) => cell.ok && cell.leftChild === child);
}

/** Rows that go on elsewhere: the rest of them must be there still, as it was. */
async function isSameChain(
  first: number,
  pages: number,
  live: FilePageSource,
  stored: StoredPages,
): Promise<boolean> {
  let page = first;
  for (let index = 0; index < pages; index += 1) {
    const then = await stored.read(page);
    const now = live.read(page);
    if (then === null || now === null || !now.equals(then)) return false;
    page = now.readUInt32BE(0);
  }
  return page === 0;
}

/**
 * Replaces, in a private single-file copy, leaf pages that hold nothing readable by what a snapshot has of them.
 * @returns what was replaced; null, with nothing changed, where a page has no stand-in
 */
export async function spliceNamedPages(
  copy: string,
  schema: readonly SchemaObject[],
  named: ReadonlyMap<number, ReadonlySet<number>>,
  stored: StoredPages,
): Promise<StandIn[] | null> {
  const standIns: StandIn[] = [];
  const live = openPageSource(copy);
  const { pageBytes } = live;
  try {
    for (const [root, pages] of named) {
      const positions = positionsOf(live, root, pages);
      if (positions === null) return null;
      const isTable = schema.some(({ type, rootPage }) => type === 'table' && rootPage === root);
      for (const position of positions) {
        const standIn = await standInFor(position, isTable, live, stored);
        if (standIn === null) return null;
        standIns.push(standIn);
      }
    }
  } finally {
    live.close();
  }
  const handle = openSync(copy, 'r+');
  try {
    for (const { page, bytes } of standIns)
      writeSync(handle, bytes, 0, pageBytes, (page - 1) * pageBytes);
  } finally {
    closeSync(handle);
  }
  return standIns;
}
