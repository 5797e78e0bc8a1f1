import { existsSync } from 'node:fs';
import { Claims } from '../../sqlite/btree/claims.ts';
import { readSchema } from '../../sqlite/btree/schema.ts';
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
}

const SCHEMA_FORMAT_MAX = 4;
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
    if (!isPlausible(header)) {
      header = known;
      if (known !== null) {
        pages.close();
        const { pageBytes, reservedBytes, encoding, autoVacuum } = known;
        const facts = { pageBytes, reservedBytes, encoding, autoVacuum };
        pages = openPageSource(path, { ...wal, facts });
      }
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
    return { pages, header, claims, schema, schemaComplete: complete && header !== null };
  } catch (error) {
    pages.close();
    throw error;
  }
}
