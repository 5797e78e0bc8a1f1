import type { Cell } from '../format/cell.ts';
import { type Decoded, faultAt } from '../format/decoded.ts';
import { readPayload } from '../format/overflow.ts';
import type { PageSource } from '../format/page-source.ts';
import { decodeRecord, type SqliteRecord } from '../format/record.ts';
import type { Claims } from './claims.ts';

export interface ClaimedRecord extends SqliteRecord {
  readonly payload: Buffer;
}

/** Reads the record of a cell; its overflow pages are claimed for the tree once the whole record proved sound. */
export function readClaimedRecord(
  source: PageSource,
  claims: Claims,
  root: number,
  bytes: Buffer,
  cell: Cell,
): Decoded<ClaimedRecord> {
  const first = cell.overflowPage === null ? null : claims.ownerOf(cell.overflowPage);
  if (first !== null) {
    const fault = `overflow page ${cell.overflowPage} belongs to the tree of page ${first.root}`;
    return faultAt(cell.offset, fault);
  }
  const read = readPayload(source, bytes, cell);
  if (!read.ok) return read;
  const record = decodeRecord(read.payload, source.encoding);
  if (!record.ok) return record;
  const taken = read.overflowPages.find((page) => claims.ownerOf(page) !== null);
  if (taken !== undefined) {
    const fault = `overflow page ${taken} belongs to the tree of page ${claims.ownerOf(taken)?.root}`;
    return faultAt(cell.offset, fault);
  }
  for (const page of read.overflowPages) claims.claim(page, { root, role: 'overflow' });
  const { values, serialTypes } = record;
  return { ok: true, payload: read.payload, values, serialTypes };
}
