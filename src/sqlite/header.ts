/** The first 100 bytes of a SQLite database file (https://www.sqlite.org/fileformat2.html#the_database_header). */

export const SQLITE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
export const HEADER_BYTES = 100;
export const PAGE_BYTES_MIN = 512;
export const PAGE_BYTES_MAX = 65_536;

export type JournalMode = 'wal' | 'rollback';
export type TextEncoding = 'UTF-8' | 'UTF-16le' | 'UTF-16be';

export interface DatabaseHeader {
  readonly pageBytes: number;
  /** 2: the database is in WAL mode. */
  readonly writeVersion: number;
  readonly readVersion: number;
  readonly journalMode: JournalMode;
  /** Bytes at the end of every page that SQLite leaves alone. */
  readonly reservedBytes: number;
  /** Counts write transactions in rollback mode; in WAL mode it moves now and then only. */
  readonly changeCounter: number;
  /** As the header states it: trustworthy only while `versionValidFor` equals `changeCounter`. */
  readonly pageCount: number;
  readonly versionValidFor: number;
  readonly freelistTrunk: number;
  readonly freelistPages: number;
  readonly schemaCookie: number;
  readonly schemaFormat: number;
  readonly largestRoot: number;
  readonly autoVacuum: boolean;
  readonly incrementalVacuum: boolean;
  readonly encoding: TextEncoding;
  readonly userVersion: number;
  readonly applicationId: number;
  /** The SQLite that wrote last, e.g. 3051003. */
  readonly libraryVersion: number;
}

/** True when a file that starts with these bytes is a database, whatever its name. */
export function isDatabaseHeader(first16: Buffer): boolean {
  return first16.length >= 16 && first16.subarray(0, 16).equals(SQLITE_MAGIC);
}

/** Whether a file of so many bytes may be a database as SQLite leaves one: all of its pages are whole. */
export function mayBeWholePages(bytes: bigint): boolean {
  return bytes > 0n && bytes % BigInt(PAGE_BYTES_MIN) === 0n;
}

/** @returns null when the bytes cannot be a header: no magic, too short, or no page size SQLite knows */
export function parseHeader(bytes: Buffer): DatabaseHeader | null {
  if (bytes.length < HEADER_BYTES || !isDatabaseHeader(bytes)) return null;
  const pageBytes = pageBytesOf(bytes.readUInt16BE(16));
  if (pageBytes === null) return null;
  const writeVersion = bytes.readUInt8(18);
  const readVersion = bytes.readUInt8(19);
  return {
    pageBytes,
    writeVersion,
    readVersion,
    journalMode: readVersion === 2 ? 'wal' : 'rollback',
    reservedBytes: bytes.readUInt8(20),
    changeCounter: bytes.readUInt32BE(24),
    pageCount: bytes.readUInt32BE(28),
    freelistTrunk: bytes.readUInt32BE(32),
    freelistPages: bytes.readUInt32BE(36),
    schemaCookie: bytes.readUInt32BE(40),
    schemaFormat: bytes.readUInt32BE(44),
    largestRoot: bytes.readUInt32BE(52),
    autoVacuum: bytes.readUInt32BE(52) !== 0,
    encoding: encodingOf(bytes.readUInt32BE(56)),
    userVersion: bytes.readInt32BE(60),
    incrementalVacuum: bytes.readUInt32BE(64) !== 0,
    applicationId: bytes.readInt32BE(68),
    versionValidFor: bytes.readUInt32BE(92),
    libraryVersion: bytes.readUInt32BE(96),
  };
}

/** A page size as two-byte fields hold it, 1 standing for 65,536; null where SQLite knows no such size. */
export function pageBytesOf(field: number): number | null {
  const pageBytes = field === 1 ? PAGE_BYTES_MAX : field;
  const powerOfTwo = (pageBytes & (pageBytes - 1)) === 0;
  return powerOfTwo && pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX
    ? pageBytes
    : null;
}

/**
 * The number of pages of a database whose state is its file alone, as SQLite's `lockBtree` decides it:
 * the header's count while it is valid, else what the length holds.
 */
export function pageCountOf(header: DatabaseHeader, fileBytes: number): number {
  const filePages = Math.ceil(fileBytes / header.pageBytes);
  const stated = header.versionValidFor === header.changeCounter ? header.pageCount : 0;
  return stated === 0 || stated > filePages ? filePages : stated;
}

function encodingOf(field: number): TextEncoding {
  if (field === 2) return 'UTF-16le';
  if (field === 3) return 'UTF-16be';
  return 'UTF-8';
}
