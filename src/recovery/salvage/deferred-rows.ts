import Database from 'better-sqlite3';
import { decodeRecord, type SqliteRecord } from '../../sqlite/format/record.ts';
import type { TextEncoding } from '../../sqlite/header.ts';

/** Rows whose table is not certain yet, kept on disk, page by page, until every tree was walked. */

export interface DeferredRow {
  readonly rowid: bigint;
  readonly record: SqliteRecord;
}

export interface DeferredPage {
  readonly page: number;
  /** The table in whose tree the page hangs; null for a page of no tree. */
  readonly owner: string | null;
}

interface Stored {
  readonly rowid: bigint;
  readonly payload: Buffer;
}

export class DeferredRows {
  readonly #database: Database.Database;
  readonly #encoding: TextEncoding;
  readonly #add: Database.Statement;

  /** @param path a new file, in scratch */
  constructor(path: string, encoding: TextEncoding) {
    this.#encoding = encoding;
    this.#database = new Database(path);
    this.#database.pragma('journal_mode = OFF');
    this.#database.pragma('synchronous = OFF');
    // Rows may be read and others written in turn.
    this.#database.unsafeMode(true);
    this.#database.exec(`
      CREATE TABLE rows(page INTEGER, owner TEXT, cell INTEGER, rowid_ INTEGER, payload BLOB);
      CREATE INDEX rows_page ON rows(page, cell);
    `);
    this.#add = this.#database.prepare('INSERT INTO rows VALUES(?, ?, ?, ?, ?)');
  }

  add(place: DeferredPage & { readonly cell: number }, rowid: bigint, payload: Buffer): void {
    this.#add.run(place.page, place.owner, place.cell, rowid, payload);
  }

  /** Pages that hang in a tree come first. */
  pages(): Iterable<DeferredPage> {
    return this.#database
      .prepare<[], DeferredPage>(
        'SELECT DISTINCT page, owner FROM rows ORDER BY owner IS NULL, page',
      )
      .iterate();
  }

  *rows({ page }: DeferredPage): Generator<DeferredRow> {
    const rows = this.#database
      .prepare<[number], Stored>(
        'SELECT rowid_ AS rowid, payload FROM rows WHERE page = ? ORDER BY cell',
      )
      .safeIntegers()
      .iterate(page);
    for (const { rowid, payload } of rows) {
      const record = decodeRecord(payload, this.#encoding);
      if (record.ok) yield { rowid, record };
    }
  }

  close(): void {
    this.#database.close();
  }
}
