import { statSync } from 'node:fs';
import { HoldfastError } from '../kernel/errors.ts';
import { readFreelist } from '../sqlite/format/freelist.ts';
import { type FilePageSource, openPageSource } from '../sqlite/format/page-source.ts';
import { lockBytePage } from '../sqlite/format/pointer-map.ts';

/**
 * A page that the last commit of a log counts, that belongs to the database, and that is nowhere whole: the file ends before
 * or inside it, and no frame holds it. SQLite reads it as zeros, which pass for the sound end of an overflow chain; read directly,
 * as SELECT does with such chains, it is an I/O error (`SQLITE_IOERR_SHORT_READ`). Pages that were freed in the
 * transaction that made them are never written at all: those are no damage.
 *
 * Reads a private copy of a database and its log by descriptor.
 * @returns its number; null where there is none, or no log
 */
export function findMissingPage(path: string): number | null {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return null;
  let source: FilePageSource;
  try {
    source = openPageSource(path, { wal: `${path}-wal` });
  } catch (error) {
    // Nothing tells the size of its pages: SQLite's own check has more to say.
    if (error instanceof HoldfastError) return null;
    throw error;
  }
  try {
    return source.walFrames === 0 ? null : missingIn(source, statSync(path).size);
  } finally {
    source.close();
  }
}

function missingIn(source: FilePageSource, fileBytes: number): number | null {
  const filePages = Math.floor(fileBytes / source.pageBytes);
  const logged = new Set<number>();
  for (const page of source.existingPages()) {
    // The file may end inside a page; of those in the log, all are whole.
    if (page > filePages && source.read(page)?.length === source.pageBytes) logged.add(page);
  }
  if (source.pageCount - filePages <= logged.size) return null;
  const freelist = readFreelist(source);
  // A list that is not sound is faulted by SQLite's own check.
  const unwritten = new Set(freelist.ok ? freelist.leaves : []);
  unwritten.add(lockBytePage(source.pageBytes));
  // Ends at the first that is missing, so the count that a commit claims bounds nothing here.
  for (let page = filePages + 1; page <= source.pageCount; page += 1) {
    if (!logged.has(page) && !unwritten.has(page)) return page;
  }
  return null;
}
