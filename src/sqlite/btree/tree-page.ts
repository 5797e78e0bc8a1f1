import { restoreCellCount } from '../format/cell-count.ts';
import { type BtreePage, decodePage } from '../format/page.ts';
import { type CheckedCells, checkPage } from '../format/page-check.ts';
import type { PageSource } from '../format/page-source.ts';
import { restorePayloadLengths } from '../format/payload-length.ts';

export interface TreePage {
  readonly bytes: Buffer;
  readonly page: BtreePage;
  readonly checked: CheckedCells;
  /** What is wrong with its structure. */
  readonly faults: readonly string[];
  /** True when it seems to hold cells that none of its cell pointers leads to. */
  readonly cellsMissing: boolean;
}

/** Reads a b-tree page; damaged counts of cells and bytes are put right where the bytes of the page prove them. */
export function readTreePage(source: PageSource, pageNumber: number): TreePage | string {
  const bytes = source.read(pageNumber);
  return bytes === null ? `page ${pageNumber} cannot be read` : openPage(bytes, source, pageNumber);
}

function openPage(bytes: Buffer, source: PageSource, pageNumber: number): TreePage | string {
  const page = decodePage(bytes, pageNumber, source);
  if (!page.ok) return page.fault;
  const checked = checkPage(bytes, page, source);
  const faults = checked.faults.map(({ fault }) => fault);
  if (faults.length === 0) return { bytes, page, checked, faults, cellsMissing: false };
  const restored = restoreCellCount(bytes, pageNumber, source);
  if (restored === null || dropsSoundCells(checked, restored.checked)) {
    const lengthened = withOwnLengths(bytes, pageNumber, source, { page, checked });
    if (lengthened !== null) return lengthened;
    const cellsMissing = hasCellBehindLast(bytes, pageNumber, source, checked);
    return { bytes, page, checked, faults, cellsMissing };
  }
  const stated = bytes.readUInt16BE(page.headerOffset + 3);
  const fault = `the page claims ${stated} cells and holds ${restored.page.cellOffsets.length}`;
  return { bytes, ...restored, faults: [fault], cellsMissing: false };
}

/** Only where fewer faults are left with the lengths that the records themselves tell. */
function withOwnLengths(
  bytes: Buffer,
  pageNumber: number,
  source: PageSource,
  { page, checked }: Pick<TreePage, 'page' | 'checked'>,
): TreePage | null {
  const restored = restorePayloadLengths(bytes, page, checked, source);
  if (restored === null) return null;
  const now = checkPage(restored, page, source);
  if (now.faults.length > checked.faults.length) return null;
  const faults = [
    'the page holds records of other lengths than it states',
    ...now.faults.map(({ fault }) => fault),
  ];
  const cellsMissing = hasCellBehindLast(restored, pageNumber, source, now);
  return { bytes: restored, page, checked: now, faults, cellsMissing };
}

/** A smaller number must not cost cells that can be read: then another field of the page may be what is damaged. */
function dropsSoundCells(stated: CheckedCells, restored: CheckedCells): boolean {
  return stated.cells.some(
    (cell, index) => index >= restored.cells.length && cell.ok && !stated.overlapping.has(index),
  );
}

/** Bytes that nothing accounts for are lost free space, unless the next cell pointer still leads to a cell in them. */
function hasCellBehindLast(
  bytes: Buffer,
  pageNumber: number,
  source: PageSource,
  { cells, missingBytes }: CheckedCells,
): boolean {
  const index = cells.length;
  const page = decodePage(bytes, pageNumber, source, index + 1);
  if (!page.ok || page.cellsCut || missingBytes === 0) return false;
  const checked = checkPage(bytes, page, source);
  const cell = checked.cells[index];
  if (!cell?.ok || checked.overlapping.has(index) || checked.unallocated.has(index)) return false;
  return cell.lengthBytes <= missingBytes;
}
