import { decodeCell } from './cell.ts';
import { type BtreePage, decodePage, type PageLayout } from './page.ts';
import { type CheckedCells, checkPage } from './page-check.ts';

/**
 * Finds the number of cells of a page whose stated number is damaged: the one with which every byte of the page is
 * accounted for exactly once.
 * @returns null when no number proves to be it
 */
export function restoreCellCount(
  bytes: Buffer,
  pageNumber: number,
  layout: PageLayout,
): { readonly page: BtreePage; readonly checked: CheckedCells } | null {
  const room = decodePage(bytes, pageNumber, layout, layout.usableBytes);
  if (!room.ok || room.contentStart > layout.usableBytes) return null;
  const empty = decodePage(bytes, pageNumber, layout, 0);
  if (!empty.ok) return null;
  const freeSpace = checkPage(bytes, empty, layout);
  const wanted = layout.usableBytes - room.contentStart - room.fragmentBytes - freeSpace.freeBytes;
  let total = 0;
  for (const [index, offset] of room.cellOffsets.entries()) {
    const cell = decodeCell(bytes, offset, room.kind, layout);
    if (!cell.ok) return null;
    total += cell.lengthBytes;
    if (total > wanted) return null;
    if (total < wanted) continue;
    const page = decodePage(bytes, pageNumber, layout, index + 1);
    if (!page.ok) return null;
    const checked = checkPage(bytes, page, layout);
    return checked.faults.length === 0 ? { page, checked } : null;
  }
  return null;
}
