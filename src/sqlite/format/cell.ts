import { type Decoded, type DecodeFault, faultAt } from './decoded.ts';
import type { PageKind, PageLayout } from './page.ts';
import { decodeVarint, type Integer } from './varint.ts';

export interface Cell {
  /** Where the cell starts on its page. */
  readonly offset: number;
  /** Bytes that it takes of the page, at least 4. */
  readonly lengthBytes: number;
  /** Interior pages only. */
  readonly leftChild: number | null;
  /** Pages of rowid tables only. */
  readonly rowid: Integer | null;
  /** Of the whole record, overflow included; 0 on interior pages of rowid tables. */
  readonly payloadBytes: number;
  readonly localOffset: number;
  readonly localBytes: number;
  /** First page of the overflow chain; null where the record is all on the page. */
  readonly overflowPage: number | null;
}

const CELL_BYTES_MIN = 4;
/** SQLite's own limit on a record: the bytes of a signed 32-bit count. */
const PAYLOAD_BYTES_MAX = 0x7fffffff;

/** How many of the bytes of a record stay on its page (https://www.sqlite.org/fileformat2.html#cell_payload). */
export function localPayloadBytes(
  payloadBytes: number,
  kind: PageKind,
  usableBytes: number,
): number {
  const most =
    kind === 'table-leaf' ? usableBytes - 35 : Math.floor(((usableBytes - 12) * 64) / 255) - 23;
  if (payloadBytes <= most) return payloadBytes;
  const least = Math.floor(((usableBytes - 12) * 32) / 255) - 23;
  const wanted = least + ((payloadBytes - least) % (usableBytes - 4));
  return wanted <= most ? wanted : least;
}

/** The cell at `offset` of a page of `kind`; it must lie within the usable bytes of the page. */
export function decodeCell(
  bytes: Buffer,
  offset: number,
  kind: PageKind,
  layout: PageLayout,
): Decoded<Cell> {
  const end = Math.min(bytes.length, layout.usableBytes);
  if (offset < 8 || offset + CELL_BYTES_MIN > end) {
    return faultAt(offset, 'a cell pointer leads off the page');
  }
  if (kind === 'table-interior') return decodeTableInteriorCell(bytes, offset, end);
  if (kind === 'index-interior') {
    const leftChild = bytes.readUInt32BE(offset);
    return decodePayloadCell(bytes, offset, offset + 4, leftChild, kind, layout);
  }
  return decodePayloadCell(bytes, offset, offset, null, kind, layout);
}

function decodeTableInteriorCell(bytes: Buffer, offset: number, end: number): Decoded<Cell> {
  const rowid = decodeVarint(bytes, offset + 4, end);
  if (!rowid.ok) return rowid;
  const localOffset = offset + 4 + rowid.lengthBytes;
  return {
    ok: true,
    offset,
    lengthBytes: localOffset - offset,
    leftChild: bytes.readUInt32BE(offset),
    rowid: rowid.value,
    payloadBytes: 0,
    localOffset,
    localBytes: 0,
    overflowPage: null,
  };
}

function decodePayloadCell(
  bytes: Buffer,
  offset: number,
  start: number,
  leftChild: number | null,
  kind: PageKind,
  layout: PageLayout,
): Decoded<Cell> {
  const end = Math.min(bytes.length, layout.usableBytes);
  const size = decodeVarint(bytes, start, end);
  if (!size.ok) return size;
  const payloadBytes = size.value;
  if (typeof payloadBytes !== 'number' || payloadBytes < 0 || payloadBytes > PAYLOAD_BYTES_MAX) {
    return faultAt(start, `a record claims ${payloadBytes} bytes`);
  }
  let localOffset = start + size.lengthBytes;
  let rowid: Integer | null = null;
  if (kind === 'table-leaf') {
    const key = decodeVarint(bytes, localOffset, end);
    if (!key.ok) return key;
    rowid = key.value;
    localOffset += key.lengthBytes;
  }
  const localBytes = localPayloadBytes(payloadBytes, kind, layout.usableBytes);
  const overflows = localBytes < payloadBytes;
  const cellEnd = localOffset + localBytes + (overflows ? 4 : 0);
  if (cellEnd > end) return endFault(offset, rowid);
  return {
    ok: true,
    offset,
    lengthBytes: Math.max(CELL_BYTES_MIN, cellEnd - offset),
    leftChild,
    rowid,
    payloadBytes,
    localOffset,
    localBytes,
    overflowPage: overflows ? bytes.readUInt32BE(localOffset + localBytes) : null,
  };
}

function endFault(offset: number, rowid: Integer | null): DecodeFault {
  const whose = rowid === null ? 'a cell' : `the cell of row ${rowid}`;
  return faultAt(offset, `${whose} extends off the page`);
}
