import type { Cell } from '../../sqlite/format/cell.ts';
import type { Decoded } from '../../sqlite/format/decoded.ts';
import { decodePage } from '../../sqlite/format/page.ts';
import { checkPage } from '../../sqlite/format/page-check.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { Integer } from '../../sqlite/format/varint.ts';

/** Strictly above `low`, at most `high`. */
export function isWithin(key: Integer, low: Integer | null, high: Integer | null): boolean {
  return (low === null || key > low) && (high === null || key <= high);
}

/** The cells of a page that can be decoded, in order; none where the page cannot. */
export function cellsOf(source: PageSource, page: number): Cell[] {
  const bytes = source.read(page);
  const decoded = bytes === null ? null : decodePage(bytes, page, source);
  if (bytes === null || decoded?.ok !== true) return [];
  const isSound = (cell: Decoded<Cell>): cell is Decoded<Cell> & { ok: true } => cell.ok;
  return checkPage(bytes, decoded, source).cells.filter(isSound);
}
