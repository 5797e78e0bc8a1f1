import {
  type DatabaseHeader,
  HEADER_BYTES,
  parseHeader,
  SQLITE_MAGIC,
} from '../../sqlite/header.ts';

/** Start and end of fields of the file header (https://www.sqlite.org/fileformat2.html#the_database_header). */
const MAGIC = [0, 16] as const;
const PAGE_BYTES = [16, 18] as const;
const VERSIONS = [18, 20] as const;
const RESERVED_AND_FRACTIONS = [20, 24] as const;
const CHANGE_COUNTER = 24;
const PAGE_COUNT = 28;
const FREELIST = [32, 40] as const;
const ENCODING = [56, 60] as const;
const EXPANSION = [72, 92] as const;
const VALID_FOR = 92;

type Field = readonly [start: number, end: number];

const same = (left: Buffer, right: Buffer, [start, end]: Field): boolean =>
  left.subarray(start, end).equals(right.subarray(start, end));

/** Whether the header is one of this database: what never changes is unchanged, and the rest holds together. */
function isPlausible(live: Buffer, snapshot: Buffer): boolean {
  const [write, read] = live.subarray(...VERSIONS);
  const isWhole = live.readUInt32BE(CHANGE_COUNTER) === live.readUInt32BE(VALID_FOR);
  return (
    same(live, snapshot, PAGE_BYTES) &&
    same(live, snapshot, RESERVED_AND_FRACTIONS) &&
    same(live, snapshot, ENCODING) &&
    read === write &&
    (read === 1 || read === 2) &&
    live.subarray(...EXPANSION).every((byte) => byte === 0) &&
    (same(live, SQLITE_MAGIC, MAGIC) || isWhole)
  );
}

/**
 * Page 1 with a sound file header: its own, where only the magic or the page count is wrong, else that of the snapshot
 * with an empty freelist. What follows the header stays.
 * @returns `trusted`: the header was its own
 */
export function repairHeader(
  live: Buffer,
  snapshot: Buffer,
  pageCount: number,
): { readonly page: Buffer; readonly header: DatabaseHeader; readonly trusted: boolean } {
  const page = Buffer.from(live);
  const trusted = isPlausible(live, snapshot);
  SQLITE_MAGIC.copy(page, MAGIC[0]);
  if (!trusted) {
    snapshot.copy(page, 0, 0, HEADER_BYTES);
    page.fill(0, ...FREELIST);
  }
  page.writeUInt32BE(pageCount, PAGE_COUNT);
  page.writeUInt32BE(page.readUInt32BE(CHANGE_COUNTER), VALID_FOR);
  return { page, header: parseHeader(page)!, trusted };
}
