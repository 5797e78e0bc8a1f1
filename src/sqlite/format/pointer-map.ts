import { type Decoded, faultAt } from './decoded.ts';
import type { PageLayout } from './page.ts';

/** The page that holds the byte SQLite locks, 1 GiB into the file; it is never used. */
const LOCK_BYTE = 2 ** 30;
const ENTRY_BYTES = 5;
const FIRST_MAP_PAGE = 2;

export type PointerMapRole = 'root' | 'free' | 'overflow-first' | 'overflow' | 'btree';

const ROLES: Readonly<Record<number, PointerMapRole>> = {
  1: 'root',
  2: 'free',
  3: 'overflow-first',
  4: 'overflow',
  5: 'btree',
};

export interface PointerMapEntry {
  readonly role: PointerMapRole;
  /** The page that points to this one: 0 for roots and free pages. */
  readonly parent: number;
}

export function lockBytePage(pageBytes: number): number {
  return LOCK_BYTE / pageBytes + 1;
}

/**
 * The pointer-map page that describes a page of an auto-vacuum database
 * (https://www.sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages); pages from 2 on.
 */
export function pointerMapPageOf(pageNumber: number, layout: PageLayout): number {
  const covered = Math.floor(layout.usableBytes / ENTRY_BYTES) + 1;
  const page = Math.floor((pageNumber - FIRST_MAP_PAGE) / covered) * covered + FIRST_MAP_PAGE;
  return page === lockBytePage(layout.pageBytes) ? page + 1 : page;
}

/** Of a database with auto-vacuum: true when the page is a pointer map. */
export function isPointerMapPage(pageNumber: number, layout: PageLayout): boolean {
  return pageNumber >= FIRST_MAP_PAGE && pointerMapPageOf(pageNumber, layout) === pageNumber;
}

/**
 * What a pointer map says of a page.
 * @param bytes the page `pointerMapPageOf(pageNumber)`
 */
export function decodePointerMapEntry(
  bytes: Buffer,
  pageNumber: number,
  layout: PageLayout,
): Decoded<PointerMapEntry> {
  const index = pageNumber - pointerMapPageOf(pageNumber, layout) - 1;
  const offset = index * ENTRY_BYTES;
  if (index < 0 || offset + ENTRY_BYTES > Math.min(bytes.length, layout.usableBytes)) {
    return faultAt(0, `the pointer map has no entry for page ${pageNumber}`);
  }
  const role = ROLES[bytes[offset]!];
  if (role === undefined) return faultAt(offset, `no page has the role ${bytes[offset]}`);
  return { ok: true, role, parent: bytes.readUInt32BE(offset + 1) };
}
