import { closeSync, fstatSync, lstatSync } from 'node:fs';
import Database from 'better-sqlite3';
import { systemCode } from '../kernel/errors.ts';
import type { ChangedPages } from './changed-pages.ts';
import { DatabaseImage } from './database-image.ts';
import { familyPaths } from './family.ts';
import { type DatabaseHeader, HEADER_BYTES, pageCountOf, parseHeader } from './header.ts';
import { changesInLog, changesWhileHeld } from './log-changes.ts';
import { type LogPosition, logPositionOf, mayFollow } from './log-position.ts';
import type { PinnedState } from './pinned-state.ts';
import { openForReading, readAt } from './read-at.ts';
import { FRAME_HEADER_BYTES } from './wal.ts';
import {
  BACKFILL_OFFSET,
  nativeUInt32,
  parseWalIndexHeader,
  WAL_INDEX_HEADER_BYTES,
  type WalIndexHeader,
} from './wal-index.ts';
import { readWithoutTrust } from './without-trust.ts';

/** A later state of a database than the one that is pinned. */
export interface NewerState {
  readonly position: LogPosition;
  /** From the pinned state to this one. */
  readonly pages: ChangedPages;
}

/**
 * One SQLite connection on a database, with raw descriptors of the family beside it. The descriptors are closed only
 * after the connection: closing any of them would drop the locks that SQLite holds.
 */
export class PinConnection {
  readonly #path: string;
  readonly #connection: Database.Database;
  readonly #main: number;
  #wal: number | null = null;
  #shm: number | null = null;
  #state: PinnedState | null = null;

  private constructor(path: string, connection: Database.Database, main: number) {
    this.#path = path;
    this.#connection = connection;
    this.#main = main;
  }

  /**
   * Opens without reading. @returns null when the file was replaced in the same moment
   * @throws what SQLite and the file system say, `ENOENT` and `SQLITE_CANTOPEN` among it
   */
  static open(path: string, options: { readonly: boolean }): PinConnection | null {
    const main = openForReading(path);
    let connection: Database.Database | null = null;
    try {
      connection = new Database(path, {
        readonly: options.readonly,
        fileMustExist: true,
        // SQLite's own waiting blocks this thread and polls ever more rarely; the caller polls often instead.
        timeout: 0,
      });
      connection.pragma('mmap_size = 0');
      connection.pragma('query_only = ON');
      readWithoutTrust(connection);
      // The descriptor was there before the connection: if the name still means its file, both have the same one.
      if (lstatSync(path).ino === fstatSync(main).ino) {
        return new PinConnection(path, connection, main);
      }
    } catch (error) {
      connection?.close();
      closeSync(main);
      throw error;
    }
    connection.close();
    closeSync(main);
    return null;
  }

  get connection(): Database.Database {
    return this.#connection;
  }

  get state(): PinnedState | null {
    return this.#state;
  }

  /**
   * Starts the read transaction.
   * @returns false when a commit came in between, so that its exact state is unknown: try again
   * @throws what SQLite throws; no transaction is then open
   */
  pin(): boolean {
    this.unpin();
    try {
      const before = this.#readWalIndex();
      this.#connection.exec('BEGIN');
      // Reads page 1 without looking at the schema: a damaged or foreign schema can be pinned as well.
      this.#connection.pragma('schema_version');
      this.#state = this.#stateOfTransaction(before);
    } finally {
      if (this.#state === null) this.unpin();
    }
    return this.#state !== null;
  }

  unpin(): void {
    this.#state = null;
    if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
  }

  #stateOfTransaction(before: WalIndexHeader | null): PinnedState | null {
    const header = this.readFileHeader();
    if (header === null) return null;
    // Whoever changes the mode needs the file for itself, so it stays what it is as long as this transaction lasts.
    if (!this.#usesLog(header)) return this.#rollbackState(header);
    if (this.#shm === null || this.#wal === null) {
      // They are sure to be those SQLite uses from now on: the first read has opened them.
      this.#openLog();
      return null;
    }
    // A log is restarted by changing the header first and nBackfill then: read the other way round, it shows.
    const backfilled = nativeUInt32(readAt(this.#shm, BACKFILL_OFFSET, 4), 0);
    const after = this.#readWalIndex();
    if (before === null || after === null || !before.bytes.equals(after.bytes)) return null;
    const { lastFrame } = after;
    return {
      journalMode: 'wal',
      pageBytes: lastFrame > 0 ? after.pageBytes : header.pageBytes,
      pageCount: lastFrame > 0 ? after.pageCount : pageCountOf(header, this.#fileBytes()),
      walBytes: fstatSync(this.#wal).size,
      walIndex: after,
      backfilled,
      overlay: backfilled < lastFrame,
    };
  }

  /** SQLite reads a log that is not empty even where the header knows nothing of it. */
  #usesLog(header: DatabaseHeader): boolean {
    if (header.journalMode === 'wal' || this.#shm !== null) return true;
    const wal = lstatSync(familyPaths(this.#path).wal, { throwIfNoEntry: false });
    return wal !== undefined && wal.size > 0;
  }

  #rollbackState(header: DatabaseHeader): PinnedState {
    return {
      journalMode: 'rollback',
      pageBytes: header.pageBytes,
      pageCount: pageCountOf(header, this.#fileBytes()),
      walBytes: 0,
      walIndex: null,
      backfilled: 0,
      overlay: false,
    };
  }

  #openLog(): void {
    const paths = familyPaths(this.#path);
    try {
      this.#shm ??= openForReading(paths.shm);
      this.#wal ??= openForReading(paths.wal);
    } catch (error) {
      // Nothing is closed again here, and the next attempt finds what is missing.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }

  #readWalIndex(): WalIndexHeader | null {
    return this.#shm === null
      ? null
      : parseWalIndexHeader(readAt(this.#shm, 0, WAL_INDEX_HEADER_BYTES));
  }

  #fileBytes(): number {
    return fstatSync(this.#main).size;
  }

  /** The header in the file itself: a newer one may stand in the log. */
  readFileHeader(): DatabaseHeader | null {
    return parseHeader(readAt(this.#main, 0, HEADER_BYTES));
  }

  /** True when a commit came after the pinned state. In rollback mode the transaction itself forbids that. */
  hasMoved(): boolean {
    const pinned = this.#state?.walIndex ?? null;
    if (pinned === null) return false;
    return this.#readWalIndex()?.bytes.equals(pinned.bytes) !== true;
  }

  #pinned(): PinnedState {
    if (this.#state === null) throw new Error(`Nothing is pinned of ${this.#path}`);
    return this.#state;
  }

  /** The pages of the pinned state. */
  image(): DatabaseImage {
    const { pageBytes, pageCount, walIndex, overlay } = this.#pinned();
    const limit = overlay ? walIndex : null;
    return new DatabaseImage({
      main: this.#main,
      pageBytes,
      pageCount,
      bytes: pageBytes * pageCount,
      wal: limit === null || this.#wal === null ? null : { descriptor: this.#wal, limit },
    });
  }

  /** Where the pinned state stands in its log; null where there is none, or nothing in it. */
  logPosition(): LogPosition | null {
    return logPositionOf(this.#pinned(), fstatSync(this.#main, { bigint: true }));
  }

  /** The pages that may have changed from an earlier state to the pinned one; null when that cannot be proven. */
  changesSince(before: LogPosition): ChangedPages | null {
    const now = this.#pinned();
    const wal = this.#wal;
    const { walIndex, pageBytes, pageCount } = now;
    const main = fstatSync(this.#main, { bigint: true });
    if (walIndex === null || wal === null || !mayFollow(before, now, main)) return null;
    return changesInLog(before, { ...walIndex, pageBytes, pageCount }, (offset, lengthBytes) =>
      readAt(wal, offset, lengthBytes),
    );
  }

  /** Length of `-wal` now; 0 without one. */
  logBytes(): number {
    return this.#wal === null || !this.#connection.open ? 0 : fstatSync(this.#wal).size;
  }

  /** Bytes of the log that came after the pinned state, and that no checkpoint can give back while it is held. */
  logGrowthBytes(): number {
    const pinned = this.#state?.walIndex ?? null;
    const now = pinned === null ? null : this.#readWalIndex();
    if (pinned === null || now === null) return 0;
    const isSame = now.salts.equals(pinned.salts);
    const frames = isSame ? now.lastFrame - pinned.lastFrame : now.lastFrame;
    return frames * (FRAME_HEADER_BYTES + now.pageBytes);
  }

  /** The newest state in the log, and what changed from the pinned one to it; null where that is not known. */
  changesWhilePinned(): NewerState | null {
    const pinned = this.#pinned();
    const { walIndex, pageBytes, pageCount } = pinned;
    const [wal, shm] = [this.#wal, this.#shm];
    if (walIndex === null || wal === null || shm === null) return null;
    const backfilled = nativeUInt32(readAt(shm, BACKFILL_OFFSET, 4), 0);
    const now = this.#readWalIndex();
    if (now === null || now.pageBytes !== pageBytes) return null;
    const pages = changesWhileHeld({ ...walIndex, pageCount }, now, (offset, lengthBytes) =>
      readAt(wal, offset, lengthBytes),
    );
    const state = { ...pinned, walIndex: now, pageCount: now.pageCount, backfilled };
    const position = logPositionOf(state, fstatSync(this.#main, { bigint: true }));
    return pages === null || position === null ? null : { position, pages };
  }

  close(): void {
    if (!this.#connection.open) return;
    this.#state = null;
    this.#connection.close();
    for (const descriptor of [this.#main, this.#wal, this.#shm]) {
      if (descriptor !== null) closeSync(descriptor);
    }
  }
}
