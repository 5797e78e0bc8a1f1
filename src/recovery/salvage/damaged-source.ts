import { existsSync, statSync } from 'node:fs';
import { Claims } from '../../sqlite/btree/claims.ts';
import { readSchema } from '../../sqlite/btree/schema.ts';
import { detectPageBytes } from '../../sqlite/format/detect-page-bytes.ts';
import { type FilePageSource, openPageSource } from '../../sqlite/format/page-source.ts';
import { type DatabaseHeader, HEADER_BYTES, parseHeader } from '../../sqlite/header.ts';
import { readStart } from '../../sqlite/read-at.ts';
import type { SchemaObject } from '../damage.ts';

/** Never opened through SQLite while it is read here: closing the descriptors would drop SQLite's locks. */
export interface DamagedSource {
  readonly pages: FilePageSource;
  /** Of the damaged file, of the snapshot where that is damaged, or null. */
  readonly header: DatabaseHeader | null;
  /** Pages of the schema are claimed already. */
  readonly claims: Claims;
  readonly schema: readonly SchemaObject[];
  /** False when objects may be missing from it. */
  readonly schemaComplete: boolean;
  /** As the database states it: the file may go on after them, where an older page 1 stands for the newer one. */
  readonly statedPages: number;
}

const SCHEMA_FORMAT_MAX = 4;
const PAGES_LOOKED_AT_BYTES = 262_144;
/** The least that SQLite accepts of a page, reserved bytes taken off. */
const USABLE_BYTES_MIN = 480;

/** A database that holds anything has a schema format, and a page room for cells. */
function isPlausible(header: DatabaseHeader | null): header is DatabaseHeader {
  if (header === null) return false;
  const { schemaFormat, pageBytes, reservedBytes } = header;
  return (
    schemaFormat >= 1 &&
    schemaFormat <= SCHEMA_FORMAT_MAX &&
    pageBytes - reservedBytes >= USABLE_BYTES_MIN
  );
}

/** Another page size than the snapshot's was either set since, and the pages show it, or is part of the damage. */
function isMistaken(header: DatabaseHeader, path: string, known: DatabaseHeader | null): boolean {
  if (known === null || header.pageBytes === known.pageBytes) return false;
  const start = readStart(path, PAGES_LOOKED_AT_BYTES) ?? Buffer.alloc(0);
  const read = (offset: number, length: number): Buffer => start.subarray(offset, offset + length);
  return detectPageBytes(read, known.reservedBytes) === known.pageBytes;
}

export function readHeaderOf(path: string): DatabaseHeader | null {
  return parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
}

/**
 * Opens a private copy, its WAL laid over it where there is one.
 * @param known the snapshot's header: what the damaged one should have said
 * @throws SOURCE_CORRUPT when nothing tells the page size
 */
export function openDamaged(path: string, known: DatabaseHeader | null): DamagedSource {
  const wal = existsSync(`${path}-wal`) ? { wal: `${path}-wal` } : {};
  let pages = openPageSource(path, wal);
  try {
    let { header } = pages;
    if (!isPlausible(header) || isMistaken(header, path, known)) {
      header = known;
      if (known !== null) {
        pages.close();
        const { pageBytes, reservedBytes, encoding, autoVacuum } = known;
        const facts = { pageBytes, reservedBytes, encoding, autoVacuum };
        pages = openPageSource(path, { ...wal, facts });
      }
    }
    const statedPages = pages.pageCount;
    const filePages = Math.ceil(statSync(path).size / pages.pageBytes);
    if (filePages > statedPages) {
      const { pageBytes, reservedBytes, encoding, autoVacuum } = pages;
      const facts = { pageBytes, reservedBytes, encoding, autoVacuum, pageCount: filePages };
      pages.close();
      pages = openPageSource(path, { ...wal, facts });
    }
    const claims = new Claims();
    const { entries, complete } = readSchema(pages, claims);
    const schema = entries.map(({ type, name, tableName, rootPage, sql }) => ({
      type,
      name,
      table: tableName,
      rootPage,
      sql,
    }));
    const schemaComplete = complete && header !== null;
    return { pages, header, claims, schema, schemaComplete, statedPages };
  } catch (error) {
    pages.close();
    throw error;
  }
}
