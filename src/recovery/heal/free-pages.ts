import type { PageSource } from '../../sqlite/format/page-source.ts';
import { mayBelongToTree } from '../../sqlite/format/pages-of-trees.ts';
import type { DatabaseHeader } from '../../sqlite/header.ts';
import type { OverlayPages } from './overlay-pages.ts';
import type { PageMap } from './page-map.ts';

/** The list of free pages (https://www.sqlite.org/fileformat2.html#the_freelist). */

const TRUNK = 32;
const COUNT = 36;
const TRUNK_HEADER_BYTES = 8;
/** SQLite itself leaves these unused, for the sake of its oldest versions. */
const ENTRIES_UNUSED = 6;

/** Every free page, or null when the list is not sound. */
export function readFreelist(
  source: PageSource,
  header: Pick<DatabaseHeader, 'freelistTrunk' | 'freelistPages'>,
): Set<number> | null {
  const free = new Set<number>();
  const add = (page: number): boolean => {
    if (!mayBelongToTree(source, page) || free.has(page)) return false;
    free.add(page);
    return true;
  };
  for (let trunk = header.freelistTrunk; trunk !== 0; ) {
    const bytes = add(trunk) ? source.read(trunk) : null;
    if (bytes === null) return null;
    const count = bytes.readUInt32BE(4);
    if (count > source.usableBytes / 4 - 2) return null;
    for (let index = 0; index < count; index += 1) {
      if (!add(bytes.readUInt32BE(TRUNK_HEADER_BYTES + index * 4))) return null;
    }
    trunk = bytes.readUInt32BE(0);
  }
  return free.size === header.freelistPages ? free : null;
}

/** Pages that no tree owns, pointer maps and the like left out. */
export function unownedPages(source: PageSource, map: PageMap): number[] {
  const pages: number[] = [];
  for (let page = 2; page <= source.pageCount; page += 1) {
    if (map.placeOf(page) === null && mayBelongToTree(source, page)) pages.push(page);
  }
  return pages;
}

/** Makes these pages, and no others, the free ones. Their content is gone with that. */
export function writeFreelist(target: OverlayPages, pages: readonly number[]): void {
  const perTrunk = Math.floor(target.usableBytes / 4) - 2 - ENTRIES_UNUSED;
  let next = 0;
  for (let start = 0; start < pages.length; start += perTrunk + 1) {
    const [trunk, ...leaves] = pages.slice(start, start + perTrunk + 1);
    const bytes = Buffer.alloc(target.pageBytes);
    bytes.writeUInt32BE(next, 0);
    bytes.writeUInt32BE(leaves.length, 4);
    for (const [index, leaf] of leaves.entries()) {
      bytes.writeUInt32BE(leaf, TRUNK_HEADER_BYTES + index * 4);
    }
    target.replace(trunk!, bytes);
    next = trunk!;
  }
  const first = target.read(1)!;
  first.writeUInt32BE(next, TRUNK);
  first.writeUInt32BE(pages.length, COUNT);
  target.replace(1, first);
}
