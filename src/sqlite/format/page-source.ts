import { closeSync, fstatSync } from 'node:fs';
import { cannot } from '../../kernel/errors.ts';
import {
  type DatabaseHeader,
  HEADER_BYTES,
  pageBytesOf,
  pageCountOf,
  parseHeader,
  type TextEncoding,
} from '../header.ts';
import { openForReading, readAt } from '../read-at.ts';
import { detectPageBytes } from './detect-page-bytes.ts';
import { journalOverlay, type Overlay, walOverlay } from './overlay.ts';
import type { PageLayout } from './page.ts';

/** The pages of a database as of one moment. Pages count from 1. */
export interface PageSource extends PageLayout {
  readonly pageBytes: number;
  readonly reservedBytes: number;
  readonly usableBytes: number;
  /** As the database states it: damage may have made it up. What goes through all pages goes through `existingPages`. */
  readonly pageCount: number;
  readonly encoding: TextEncoding;
  /** The database has pointer maps. */
  readonly autoVacuum: boolean;
  /**
   * A buffer of the caller's own; null when the page does not exist or cannot be read. Shorter than a page only where
   * the file ends inside it.
   */
  read(pageNumber: number): Buffer | null;
  /** Pages up to `pageCount` of which a file holds anything, in order. */
  existingPages(): Iterable<number>;
}

/** Facts of the header that a caller knows better, where page 1 is damaged. */
export interface HeaderFacts {
  readonly pageBytes?: number;
  readonly reservedBytes?: number;
  readonly encoding?: TextEncoding;
  readonly pageCount?: number;
  readonly autoVacuum?: boolean;
}

export interface PageSourceOptions {
  /** Path of the write-ahead log that is laid over the file, up to its last commit, as SQLite would. */
  readonly wal?: string;
  /** Path of the rollback journal of a transaction that was cut short: what it changed is read as it was before. */
  readonly journal?: string;
  readonly facts?: HeaderFacts;
}

export interface FilePageSource extends PageSource {
  /** As page 1 states it; null when it is damaged. */
  readonly header: DatabaseHeader | null;
  /** Frames of the log that count; 0 where there is none, or it has another page size. */
  readonly walFrames: number;
  close(): void;
}

/**
 * Opens a copy of a database by descriptor: closing it drops SQLite's locks of this process on the file, so never a
 * file that a connection of this process has open.
 * @throws SOURCE_CORRUPT when nothing tells the page size; the system's error when a file cannot be opened
 */
export function openPageSource(path: string, options: PageSourceOptions = {}): FilePageSource {
  const descriptors: number[] = [];
  const open = (file: string): number => {
    const descriptor = openForReading(file);
    descriptors.push(descriptor);
    return descriptor;
  };
  try {
    const main = open(path);
    const { wal, journal } = options;
    const log = wal === undefined ? null : walOverlay(open(wal));
    const before = journal === undefined ? null : journalOverlay(open(journal));
    return new OpenPages(path, main, descriptors, log ?? before, options.facts ?? {});
  } catch (error) {
    for (const descriptor of descriptors) closeSync(descriptor);
    throw error;
  }
}

class OpenPages implements FilePageSource {
  readonly pageBytes: number;
  readonly reservedBytes: number;
  readonly usableBytes: number;
  readonly pageCount: number;
  readonly encoding: TextEncoding;
  readonly autoVacuum: boolean;
  readonly header: DatabaseHeader | null;
  readonly walFrames: number;
  readonly #main: number;
  readonly #descriptors: readonly number[];
  readonly #overlay: Overlay | null;

  constructor(
    path: string,
    main: number,
    descriptors: readonly number[],
    overlay: Overlay | null,
    facts: HeaderFacts,
  ) {
    this.#main = main;
    this.#descriptors = descriptors;
    const start = headerBytes(main, overlay);
    this.header = parseHeader(start);
    const pageBytes =
      facts.pageBytes ??
      this.header?.pageBytes ??
      overlay?.pageBytes ??
      detectPageBytes((offset, lengthBytes) => readAt(main, offset, lengthBytes)) ??
      (start.length >= 18 ? pageBytesOf(start.readUInt16BE(16)) : null);
    if (pageBytes === null) {
      throw cannot('SOURCE_CORRUPT', 'read pages of', path, 'its page size is unknown');
    }
    this.pageBytes = pageBytes;
    this.reservedBytes = facts.reservedBytes ?? this.header?.reservedBytes ?? 0;
    this.usableBytes = pageBytes - this.reservedBytes;
    this.encoding = facts.encoding ?? this.header?.encoding ?? 'UTF-8';
    this.autoVacuum = facts.autoVacuum ?? this.header?.autoVacuum ?? false;
    this.#overlay = overlay?.pageBytes === pageBytes ? overlay : null;
    this.walFrames = this.#overlay?.walFrames ?? 0;
    this.pageCount = facts.pageCount ?? this.#pagesOf(fstatSync(main).size);
  }

  #pagesOf(fileBytes: number): number {
    if (this.#overlay !== null) return this.#overlay.pageCount;
    if (this.header !== null && this.header.pageBytes === this.pageBytes) {
      return pageCountOf(this.header, fileBytes);
    }
    return Math.ceil(fileBytes / this.pageBytes);
  }

  read(pageNumber: number): Buffer | null {
    if (!Number.isInteger(pageNumber) || pageNumber < 1 || pageNumber > this.pageCount) return null;
    const laid = this.#overlay?.offsetOf(pageNumber) ?? null;
    try {
      const bytes =
        this.#overlay === null || laid === null
          ? readAt(this.#main, (pageNumber - 1) * this.pageBytes, this.pageBytes)
          : readAt(this.#overlay.descriptor, laid, this.pageBytes);
      return bytes.length === 0 ? null : bytes;
    } catch {
      // A bad sector costs its page, not the database.
      return null;
    }
  }

  *existingPages(): Generator<number> {
    const filePages = Math.ceil(fstatSync(this.#main).size / this.pageBytes);
    const last = Math.min(filePages, this.pageCount);
    for (let page = 1; page <= last; page += 1) yield page;
    for (const page of this.#overlay?.pagesAfter(filePages) ?? []) {
      if (page <= this.pageCount) yield page;
    }
  }

  close(): void {
    for (const descriptor of this.#descriptors) closeSync(descriptor);
  }
}

/** The start of page 1 as SQLite sees it: not that of the file, where another stands for it. */
function headerBytes(main: number, overlay: Overlay | null): Buffer {
  const laid = overlay?.offsetOf(1) ?? null;
  return overlay === null || laid === null
    ? readAt(main, 0, HEADER_BYTES)
    : readAt(overlay.descriptor, laid, HEADER_BYTES);
}
