import type { BtreePage, PageLayout } from './page.ts';
import { type CheckedCells, freeblocks } from './page-check.ts';
import { contentBytes } from './record.ts';
import { decodeVarint } from './varint.ts';

/** A record on its page never needs a longer count. */
const COUNT_BYTES_MAX = 3;
const VARINT_BITS = 7;

/** What a record of which all is on its page says of its own length; null where it cannot be read. */
function ownLength(bytes: Buffer, start: number, end: number): number | null {
  const header = decodeVarint(bytes, start, end);
  if (!header.ok || typeof header.value !== 'number' || header.value < 1) return null;
  const headerEnd = start + header.value;
  if (headerEnd > end) return null;
  let total = header.value;
  let at = start + header.lengthBytes;
  while (at < headerEnd) {
    const type = decodeVarint(bytes, at, headerEnd);
    const lengthBytes = type.ok ? contentBytes(type.value) : null;
    if (!type.ok || lengthBytes === null) return null;
    total += lengthBytes;
    at += type.lengthBytes;
  }
  return at === headerEnd ? total : null;
}

/** The count with which the cell ends exactly where the next thing on the page starts. */
function provenLength(bytes: Buffer, offset: number, end: number): Buffer | null {
  let proven: Buffer | null = null;
  for (let countBytes = 1; countBytes <= COUNT_BYTES_MAX; countBytes += 1) {
    const rowid = decodeVarint(bytes, offset + countBytes, end);
    if (!rowid.ok) continue;
    const start = offset + countBytes + rowid.lengthBytes;
    const length = ownLength(bytes, start, end);
    if (length === null || start + length !== end) continue;
    const count = encodeVarint(length);
    if (count.length !== countBytes) continue;
    if (proven !== null) return null;
    proven = count;
  }
  return proven;
}

function encodeVarint(value: number): Buffer {
  const groups = [value & 0x7f];
  for (let rest = value >> VARINT_BITS; rest > 0; rest >>= VARINT_BITS) {
    groups.unshift((rest & 0x7f) | 0x80);
  }
  return Buffer.from(groups);
}

/**
 * Puts right the lengths of records on the leaf of a table, where the record itself and the place of what comes after it
 * prove the same other length.
 * @returns the page with those lengths, or null when there is nothing to put right
 */
export function restorePayloadLengths(
  bytes: Buffer,
  page: BtreePage,
  { cells }: CheckedCells,
  layout: PageLayout,
): Buffer | null {
  const pageEnd = Math.min(bytes.length, layout.usableBytes);
  if (page.kind !== 'table-leaf') return null;
  const free = freeblocks(bytes, page, layout, []).map(({ start }) => start);
  const starts = [...new Set([...page.cellOffsets, ...free, pageEnd])].sort((a, b) => a - b);
  let restored: Buffer | null = null;
  for (const [index, offset] of page.cellOffsets.entries()) {
    const cell = cells[index]!;
    const stated = cell.ok ? ownLength(bytes, cell.localOffset, pageEnd) : null;
    if (cell.ok && stated === cell.payloadBytes) continue;
    const end = starts.find((start) => start > offset);
    if (end === undefined || offset < page.cellArrayEnd) continue;
    const count = provenLength(bytes, offset, end);
    if (count === null) continue;
    restored ??= Buffer.from(bytes);
    count.copy(restored, offset);
  }
  return restored;
}
