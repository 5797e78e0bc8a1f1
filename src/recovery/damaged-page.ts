import { type BtreePage, decodePage } from '../sqlite/format/page.ts';
import { checkPage } from '../sqlite/format/page-check.ts';
import type { PageSource } from '../sqlite/format/page-source.ts';
import type { Integer } from '../sqlite/format/varint.ts';

/** Where a page stands in its tree: reached by interior pages alone, which are few. */
export interface PagePosition {
  readonly page: number;
  readonly root: number;
  /** Interior pages from the root down to the one that refers to the page. */
  readonly path: readonly number[];
  /** Keys are above `low`, at most `high`; null where nothing bounds them, and in indexes. */
  readonly low: Integer | null;
  readonly high: Integer | null;
}

interface Child {
  readonly page: number;
  readonly low: Integer | null;
  readonly high: Integer | null;
}

const DEPTH_MAX = 40;

/** A page that can be read and holds together. */
function soundPage(
  source: PageSource,
  page: number,
): { decoded: BtreePage; children: Child[] } | null {
  const bytes = source.read(page);
  const decoded = bytes === null ? null : decodePage(bytes, page, source);
  if (bytes === null || decoded?.ok !== true) return null;
  const { cells, faults } = checkPage(bytes, decoded, source);
  if (faults.length > 0) return null;
  const children: Child[] = [];
  let low: Integer | null = null;
  for (const cell of cells) {
    if (!cell.ok) return null;
    if (cell.leftChild !== null) children.push({ page: cell.leftChild, low, high: cell.rowid });
    low = cell.rowid;
  }
  if (decoded.rightChild !== null) children.push({ page: decoded.rightChild, low, high: null });
  return { decoded, children };
}

/**
 * Finds pages of one tree. Goes down interior pages only: leaves are told by their depth, which is the same for all.
 * @returns null for a tree in which an interior page is damaged, or that does not refer to one of the pages
 */
export function positionsOf(
  source: PageSource,
  root: number,
  wanted: ReadonlySet<number>,
): PagePosition[] | null {
  const leafDepth = depthOfLeaves(source, root, wanted);
  if (leafDepth === null || leafDepth === 0) return null;
  const found: PagePosition[] = [];
  const visit = (child: Child, path: readonly number[]): boolean => {
    if (path.length === leafDepth) {
      if (wanted.has(child.page)) found.push({ ...child, root, path });
      return true;
    }
    const page = soundPage(source, child.page);
    if (page === null || page.children.length === 0) return false;
    const below = [...path, child.page];
    return page.children.every(({ page: number, low, high }) =>
      visit({ page: number, low: low ?? child.low, high: high ?? child.high }, below),
    );
  };
  if (!visit({ page: root, low: null, high: null }, [])) return null;
  return found.length === wanted.size ? found : null;
}

/** Down the left side, around pages that are known to be damaged. */
function depthOfLeaves(
  source: PageSource,
  root: number,
  damaged: ReadonlySet<number>,
): number | null {
  let page = root;
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const sound = soundPage(source, page);
    if (sound === null) return null;
    if (sound.children.length === 0) return depth;
    const next = sound.children.find((child) => !damaged.has(child.page));
    if (next === undefined) return null;
    page = next.page;
  }
  return null;
}
