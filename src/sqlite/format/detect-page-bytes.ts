import { PAGE_BYTES_MAX, PAGE_BYTES_MIN } from '../header.ts';
import type { ReadBytes } from '../wal.ts';
import { decodePage } from './page.ts';
import { checkPage } from './page-check.ts';

const BLOCK_BYTES = 65_536;
const BLOCKS = 4;

/**
 * The page size of a database whose header is lost: the largest size at which a page of its first 256 KiB is a
 * perfectly sound b-tree page.
 * @param read reads the database file
 * @returns null when no page is
 */
export function detectPageBytes(read: ReadBytes, reservedBytes = 0): number | null {
  const bytes = read(0, BLOCKS * BLOCK_BYTES);
  for (let pageBytes = PAGE_BYTES_MAX; pageBytes >= PAGE_BYTES_MIN; pageBytes /= 2) {
    if (hasSoundPage(bytes, pageBytes, reservedBytes)) return pageBytes;
  }
  return null;
}

function hasSoundPage(bytes: Buffer, pageBytes: number, reservedBytes: number): boolean {
  const layout = { pageBytes, usableBytes: pageBytes - reservedBytes };
  for (let offset = 0; offset + pageBytes <= bytes.length; offset += pageBytes) {
    const pageNumber = offset / pageBytes + 1;
    const page = bytes.subarray(offset, offset + pageBytes);
    const decoded = decodePage(page, pageNumber, layout);
    if (!decoded.ok || decoded.cellOffsets.length === 0) continue;
    if (checkPage(page, decoded, layout).faults.length === 0) return true;
  }
  return false;
}
