import { fstatSync } from 'node:fs';
import { readAt } from '../read-at.ts';
import { framePageOffset, readWalFrames } from '../wal.ts';
import { readRollbackJournal } from './rollback-journal.ts';

/** Pages of another file that stand for those of the database file. */
export interface Overlay {
  readonly descriptor: number;
  readonly pageBytes: number;
  /** Size of the database with it. */
  readonly pageCount: number;
  /** Frames of a log that count; 0 for a journal. */
  readonly walFrames: number;
  /** Where the page starts in this file; null where the database file holds it. */
  offsetOf(pageNumber: number): number | null;
  /** Pages beyond `pageNumber` that this file holds, in order. */
  pagesAfter(pageNumber: number): Iterable<number>;
}

/** @returns null when the log holds no commit that SQLite would believe */
export function walOverlay(descriptor: number): Overlay | null {
  const wal = readWalFrames(
    (offset, lengthBytes) => readAt(descriptor, offset, lengthBytes),
    fstatSync(descriptor).size,
  );
  if (wal === null || wal.lastFrame === 0) return null;
  const { pageBytes } = wal.header;
  return {
    descriptor,
    pageBytes,
    pageCount: wal.pageCount,
    walFrames: wal.lastFrame,
    offsetOf: (pageNumber) => {
      const frame = wal.frames.get(pageNumber);
      return frame === 0 ? null : framePageOffset(frame, pageBytes);
    },
    pagesAfter: (pageNumber) => wal.frames.pagesAfter(pageNumber),
  };
}

/** @returns null when it is no journal of a transaction that was cut short */
export function journalOverlay(descriptor: number): Overlay | null {
  const journal = readRollbackJournal(
    (offset, lengthBytes) => readAt(descriptor, offset, lengthBytes),
    fstatSync(descriptor).size,
  );
  if (!journal.ok) return null;
  const offsets = new Map(journal.records.map(({ page, offset }) => [page, offset]));
  return {
    descriptor,
    pageBytes: journal.header.pageBytes,
    pageCount: journal.header.originalPages,
    walFrames: 0,
    offsetOf: (pageNumber) => offsets.get(pageNumber) ?? null,
    pagesAfter: (pageNumber) =>
      [...offsets.keys()].filter((page) => page > pageNumber).sort((left, right) => left - right),
  };
}
