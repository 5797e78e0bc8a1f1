import { pageBytesOf } from '../header.ts';
import type { ReadBytes } from '../wal.ts';
import { type Decoded, faultAt } from './decoded.ts';
import { lockBytePage } from './pointer-map.ts';

/** The rollback journal (https://www.sqlite.org/fileformat2.html#the_rollback_journal). */

const JOURNAL_HEADER_BYTES = 28;
const MAGIC = Buffer.from('d9d505f920a163d7', 'hex');
const COUNT_BY_SIZE = 0xffffffff;
const SECTOR_BYTES_MIN = 32;
const SECTOR_BYTES_MAX = 65_536;
const CHECKSUM_STEP_BYTES = 200;

export interface JournalHeader {
  /** Records that follow; null: as many as the file holds. */
  readonly recordCount: number | null;
  readonly nonce: number;
  /** Size of the database before the transaction. */
  readonly originalPages: number;
  readonly sectorBytes: number;
  readonly pageBytes: number;
}

export interface RollbackJournal {
  /** The first header: it states the sizes for the whole journal. */
  readonly header: JournalHeader;
  /** Where the original content of each page starts, in the order in which SQLite puts them back. */
  readonly records: readonly { readonly page: number; readonly offset: number }[];
  /** Offset of the first record that SQLite would not believe: it ends there; null when all are whole. */
  readonly badRecord: number | null;
}

export function decodeJournalHeader(bytes: Buffer): Decoded<JournalHeader> {
  if (bytes.length < JOURNAL_HEADER_BYTES) return faultAt(0, 'the header is cut off');
  if (!bytes.subarray(0, 8).equals(MAGIC)) return faultAt(0, 'the header has no magic number');
  const count = bytes.readUInt32BE(8);
  const sectorBytes = bytes.readUInt32BE(20);
  const pageField = bytes.readUInt32BE(24);
  const pageBytes = pageField === 1 ? null : pageBytesOf(pageField);
  if (pageBytes === null) return faultAt(24, `no database has pages of ${pageField} bytes`);
  const powerOfTwo = (sectorBytes & (sectorBytes - 1)) === 0;
  if (!powerOfTwo || sectorBytes < SECTOR_BYTES_MIN || sectorBytes > SECTOR_BYTES_MAX) {
    return faultAt(20, `no disk has sectors of ${sectorBytes} bytes`);
  }
  return {
    ok: true,
    recordCount: count === COUNT_BY_SIZE ? null : count,
    nonce: bytes.readUInt32BE(12),
    originalPages: bytes.readUInt32BE(16),
    sectorBytes,
    pageBytes,
  };
}

/** The sum over every 200th byte of a page, from its end, and the nonce of its header. */
function journalChecksum(page: Buffer, nonce: number): number {
  let sum = nonce;
  for (let at = page.length - CHECKSUM_STEP_BYTES; at > 0; at -= CHECKSUM_STEP_BYTES) {
    sum = (sum + page[at]!) >>> 0;
  }
  return sum;
}

/** Reads a journal as SQLite does after a crash: header by header, up to the first record that is not whole. */
export function readRollbackJournal(
  read: ReadBytes,
  journalBytes: number,
): Decoded<RollbackJournal> {
  const first = decodeJournalHeader(read(0, JOURNAL_HEADER_BYTES));
  if (!first.ok) return first;
  const records: { page: number; offset: number }[] = [];
  const recordBytes = first.pageBytes + 8;
  let headerOffset = 0;
  while (headerOffset + first.sectorBytes <= journalBytes) {
    const header = decodeJournalHeader(read(headerOffset, JOURNAL_HEADER_BYTES));
    if (!header.ok) break;
    const start = headerOffset + first.sectorBytes;
    const stored = Math.floor((journalBytes - start) / recordBytes);
    const count = Math.min(stored, header.recordCount ?? stored);
    for (let index = 0; index < count; index++) {
      const offset = start + index * recordBytes;
      const page = soundRecord(read(offset, recordBytes), header.nonce, first.pageBytes);
      if (page === null) return { ok: true, header: first, records, badRecord: offset };
      if (page <= first.originalPages) records.push({ page, offset: offset + 4 });
    }
    const end = start + count * recordBytes;
    if (header.recordCount !== null && header.recordCount > stored) {
      return { ok: true, header: first, records, badRecord: end };
    }
    headerOffset = Math.ceil(end / first.sectorBytes) * first.sectorBytes;
  }
  return { ok: true, header: first, records, badRecord: null };
}

/** @returns the page of a record; null when SQLite would not believe it */
function soundRecord(bytes: Buffer, nonce: number, pageBytes: number): number | null {
  if (bytes.length < pageBytes + 8) return null;
  const page = bytes.readUInt32BE(0);
  if (page === 0 || page === lockBytePage(pageBytes)) return null;
  const sum = journalChecksum(bytes.subarray(4, 4 + pageBytes), nonce);
  return sum === bytes.readUInt32BE(4 + pageBytes) ? page : null;
}
