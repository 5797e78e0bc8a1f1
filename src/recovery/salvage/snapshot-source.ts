import type Database from 'better-sqlite3';
import { Claims } from '../../sqlite/btree/claims.ts';
import { walkIndex } from '../../sqlite/btree/walk-index.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import { decodePage } from '../../sqlite/format/page.ts';
import { type FilePageSource, openPageSource } from '../../sqlite/format/page-source.ts';
import type { DatabaseHeader, TextEncoding } from '../../sqlite/header.ts';
import { treeKind } from '../candidates/rebuild-derived.ts';
import { openCopy } from '../candidates/settle.ts';
import { readSchema, type SchemaObject } from '../damage.ts';
import { readHeaderOf } from './damaged-source.ts';
import { isVirtual } from './salvage-schema.ts';
import { type Sequences, sequencesOf } from './sequences.ts';
import { SnapshotTable } from './snapshot-rows.ts';
import type { TableShape } from './table-shape.ts';

/** The newest sound snapshot of the database: a private file, read through SQLite and page by page. */
export class SnapshotSource {
  readonly header: DatabaseHeader;
  readonly schema: readonly SchemaObject[];
  readonly sequences: Sequences;
  readonly #path: string;
  readonly #database: Database.Database;
  #pages: FilePageSource | null = null;
  #owners: Claims | null = null;
  #keyedOwners: Claims | null = null;

  private constructor(path: string, header: DatabaseHeader, database: Database.Database) {
    this.#path = path;
    this.#database = database;
    this.header = header;
    this.schema = readSchema(database);
    this.sequences = sequencesOf(database);
  }

  /** @returns null when the file is no database */
  static open(path: string): SnapshotSource | null {
    // Before the connection: a descriptor that is closed later takes its locks with it.
    const header = readHeaderOf(path);
    if (header === null) return null;
    const database = openCopy(path);
    try {
      return new SnapshotSource(path, header, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** @returns null where the snapshot has no table whose rows could stand in for rows of today's */
  table(today: TableShape, encoding: TextEncoding): SnapshotTable | null {
    if (encoding !== this.header.encoding) return null;
    return SnapshotTable.open(this.#database, today, encoding);
  }

  /** The pages that an interior page of a table led to; null when the page was none. */
  childrenOf(page: number): readonly number[] | null {
    const pages = this.#openPages();
    const bytes = pages.read(page);
    const decoded = bytes === null ? null : decodePage(bytes, page, pages);
    if (decoded?.ok !== true || decoded.kind !== 'table-interior') return null;
    const children = decoded.cellOffsets.map((offset) => bytes!.readUInt32BE(offset));
    return [...children, decoded.rightChild!];
  }

  /** The table with row ids that a page belonged to; null when it was none of those. */
  ownerOf(page: number): string | null {
    const root = this.#claims().ownerOf(page)?.root;
    return this.schema.find(({ rootPage }) => rootPage === root)?.name ?? null;
  }

  /** The WITHOUT ROWID table that a page belonged to; null when it was none of those. */
  keyedOwnerOf(page: number): string | null {
    this.#keyedOwners ??= this.#claimKeyed();
    const root = this.#keyedOwners.ownerOf(page)?.root;
    return this.schema.find(({ rootPage }) => rootPage === root)?.name ?? null;
  }

  #claimKeyed(): Claims {
    const claims = new Claims();
    for (const object of this.schema) {
      if (object.type !== 'table' || object.rootPage === 0 || treeKind(object) === 'table')
        continue;
      for (const _ of walkIndex(this.#openPages(), object.rootPage, claims, null));
    }
    return claims;
  }

  /** True when a page was no table's in the snapshot and is as it was then: a free one has no other bytes since. */
  wasUnowned(page: number, bytes: Buffer | null): boolean {
    if (bytes === null || this.ownerOf(page) !== null) return false;
    return this.#openPages().read(page)?.equals(bytes) === true;
  }

  /**
   * The fewest values that any record of a table has: since then, records only got more. Null where the snapshot has no
   * such table with row ids.
   */
  fewestValues(table: string): number | null {
    const object = this.schema.find(({ type, name }) => type === 'table' && name === table);
    if (object === undefined || object.rootPage === 0) return null;
    let fewest: number | null = null;
    for (const event of walkTable(this.#openPages(), object.rootPage, new Claims())) {
      if (event.type !== 'row') continue;
      fewest = Math.min(fewest ?? event.values.length, event.values.length);
    }
    return fewest;
  }

  #openPages(): FilePageSource {
    this.#pages ??= openPageSource(this.#path);
    return this.#pages;
  }

  #claims(): Claims {
    if (this.#owners !== null) return this.#owners;
    const claims = new Claims();
    for (const { type, rootPage, sql } of this.schema) {
      if (type !== 'table' || rootPage === 0 || isVirtual({ type, sql } as SchemaObject)) continue;
      for (const _ of walkTable(this.#openPages(), rootPage, claims));
    }
    this.#owners = claims;
    return claims;
  }

  close(): void {
    this.#database.close();
    this.#pages?.close();
  }
}
