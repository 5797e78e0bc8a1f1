import type { PageSource } from './page-source.ts';
import { isPointerMapPage, lockBytePage } from './pointer-map.ts';

/** False for the lock-byte page and pointer maps, which no tree and no freelist may hold, and for page 0 and 1. */
export function mayBelongToTree(source: PageSource, pageNumber: number): boolean {
  if (pageNumber < 2 || pageNumber > source.pageCount) return false;
  if (pageNumber === lockBytePage(source.pageBytes)) return false;
  return !(source.autoVacuum && isPointerMapPage(pageNumber, source));
}
