import { type Cell, decodeCell } from './cell.ts';
import { type Decoded, type DecodeFault, faultAt } from './decoded.ts';
import type { BtreePage, PageLayout } from './page.ts';

export interface CheckedCells {
  /** One for each cell pointer of the page. */
  readonly cells: readonly Decoded<Cell>[];
  /** Everything that is wrong with the structure of the page; empty when each byte is accounted for exactly once. */
  readonly faults: readonly DecodeFault[];
  /** Indexes of cells that share bytes with another cell, or with the cell pointers. */
  readonly overlapping: ReadonlySet<number>;
  /** Indexes of cells below the start of the cells, where a page keeps what it deleted. */
  readonly unallocated: ReadonlySet<number>;
  /** Bytes of all freeblocks. */
  readonly freeBytes: number;
  /** Where nothing else is wrong: bytes that no cell, freeblock or fragment accounts for. */
  readonly missingBytes: number;
}

export interface Span {
  readonly start: number;
  readonly end: number;
  /** Index of the cell; null for a freeblock. */
  readonly cell: number | null;
}

/** Decodes the cells of a page and checks that cells, freeblocks and fragments fill it without overlap. */
export function checkPage(bytes: Buffer, page: BtreePage, layout: PageLayout): CheckedCells {
  const faults: DecodeFault[] = [];
  if (bytes.length < layout.pageBytes) faults.push(faultAt(bytes.length, 'the page is cut off'));
  if (page.cellsCut) faults.push(faultAt(page.headerOffset + 3, 'the page claims too many cells'));
  const cells = page.cellOffsets.map((offset) => decodeCell(bytes, offset, page.kind, layout));
  const spans: Span[] = freeblocks(bytes, page, layout, faults);
  const freeBytes = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  for (const [index, cell] of cells.entries()) {
    if (cell.ok) {
      spans.push({ start: cell.offset, end: cell.offset + cell.lengthBytes, cell: index });
    } else {
      faults.push(cell);
    }
  }
  const overlapping = new Set<number>();
  const missingBytes = accountFor(spans, page, layout, faults, overlapping);
  const unallocated = cellsBelow(page.contentStart, spans);
  return { cells, faults, overlapping, unallocated, freeBytes, missingBytes };
}

/** The start of the cells is believed where a cell or freeblock starts there. */
function cellsBelow(contentStart: number, spans: readonly Span[]): Set<number> {
  const below = new Set<number>();
  if (!spans.some(({ start }) => start === contentStart)) return below;
  for (const { start, cell } of spans) if (start < contentStart && cell !== null) below.add(cell);
  return below;
}

/** The chain of freeblocks ascends, so it ends. */
export function freeblocks(
  bytes: Buffer,
  page: BtreePage,
  layout: PageLayout,
  faults: DecodeFault[],
): Span[] {
  const spans: Span[] = [];
  const end = Math.min(bytes.length, layout.usableBytes);
  let at = page.firstFreeblock;
  let lowest = page.cellArrayEnd;
  while (at !== 0) {
    if (at < lowest || at + 4 > end) {
      faults.push(faultAt(at, 'a freeblock lies out of order or off the page'));
      break;
    }
    const lengthBytes = bytes.readUInt16BE(at + 2);
    if (lengthBytes < 4 || at + lengthBytes > end) {
      faults.push(faultAt(at, `a freeblock claims ${lengthBytes} bytes`));
      break;
    }
    spans.push({ start: at, end: at + lengthBytes, cell: null });
    lowest = at + lengthBytes;
    at = bytes.readUInt16BE(at);
  }
  return spans;
}

function accountFor(
  spans: Span[],
  page: BtreePage,
  layout: PageLayout,
  faults: DecodeFault[],
  overlapping: Set<number>,
): number {
  spans.sort((left, right) => left.start - right.start);
  let previous: Span = { start: 0, end: page.cellArrayEnd, cell: null };
  let used = page.contentStart;
  let unaccounted = 0;
  if (page.contentStart < page.cellArrayEnd || page.contentStart > layout.usableBytes) {
    faults.push(faultAt(page.headerOffset + 5, `the cells start at ${page.contentStart}`));
    used = page.cellArrayEnd;
  }
  for (const span of spans) {
    if (span.start < previous.end) {
      faults.push(faultAt(span.start, 'bytes of the page have two uses'));
      if (span.cell !== null) overlapping.add(span.cell);
      if (previous.cell !== null) overlapping.add(previous.cell);
    } else if (span.start < page.contentStart) {
      faults.push(faultAt(span.start, 'a cell lies in the unallocated part of the page'));
    }
    unaccounted += Math.max(0, span.start - used);
    used = Math.max(used, span.end);
    if (span.end > previous.end) previous = span;
  }
  unaccounted += Math.max(0, layout.usableBytes - used);
  if (faults.length > 0 || unaccounted === page.fragmentBytes) return 0;
  const stated = page.fragmentBytes;
  faults.push(
    faultAt(page.headerOffset + 7, `${unaccounted} bytes are unaccounted for, not ${stated}`),
  );
  return Math.max(0, unaccounted - stated);
}
