import { decodePage, isLeaf, type PageKind } from '../format/page.ts';
import { checkPage } from '../format/page-check.ts';
import type { PageSource } from '../format/page-source.ts';
import { mayBelongToTree } from '../format/pages-of-trees.ts';
import {
  decodePointerMapEntry,
  type PointerMapEntry,
  pointerMapPageOf,
} from '../format/pointer-map.ts';
import type { Claims } from './claims.ts';

export interface OrphanLeaf {
  readonly page: number;
  readonly kind: PageKind;
  readonly cellCount: number;
  /** False when its structure has faults. */
  readonly sound: boolean;
  /** What the pointer map of an auto-vacuum database says of the page; null where there is none. */
  readonly mapped: PointerMapEntry | null;
}

/**
 * Leaves with cells that no tree owns, once all trees were walked: what a lost interior page leaves behind. The rows of
 * one are read by walking it as a root of its own.
 * @param freePages the pages of the freelist, while it is sound: they hold deleted rows
 */
export function* orphanLeaves(
  source: PageSource,
  claims: Claims,
  freePages: ReadonlySet<number>,
): Generator<OrphanLeaf> {
  for (const page of source.existingPages()) {
    if (page === 1 || claims.ownerOf(page) !== null || freePages.has(page)) continue;
    if (!mayBelongToTree(source, page)) continue;
    const leaf = leafAt(source, page);
    if (leaf !== null) yield leaf;
  }
}

function leafAt(source: PageSource, pageNumber: number): OrphanLeaf | null {
  const bytes = source.read(pageNumber);
  if (bytes === null) return null;
  const page = decodePage(bytes, pageNumber, source);
  if (!page.ok || !isLeaf(page.kind) || page.cellOffsets.length === 0) return null;
  const { cells, faults } = checkPage(bytes, page, source);
  if (!cells.some((cell) => cell.ok)) return null;
  const cellCount = page.cellOffsets.length;
  const mapped = mappedAs(source, pageNumber);
  return { page: pageNumber, kind: page.kind, cellCount, sound: faults.length === 0, mapped };
}

function mappedAs(source: PageSource, pageNumber: number): PointerMapEntry | null {
  if (!source.autoVacuum) return null;
  const map = source.read(pointerMapPageOf(pageNumber, source));
  const entry = map === null ? null : decodePointerMapEntry(map, pageNumber, source);
  return entry?.ok ? { role: entry.role, parent: entry.parent } : null;
}
