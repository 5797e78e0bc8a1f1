import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { systemCode } from '../../kernel/errors.ts';
import { isCorruptionCode } from '../../sqlite/database-check.ts';
import { type FilePageSource, openPageSource } from '../../sqlite/format/page-source.ts';
import type { ManifestDatabase } from '../../store/manifests/manifest.ts';
import { openCopy } from '../candidates/settle.ts';
import { bytesOf } from '../family-copies.ts';

/** A page count that damage made up must not make a file that fills the disk. */
const GROWTH_MAX = 4;

/** A page of these is of no kind and leads nowhere; one of zeros would be a sound end of an overflow chain. */
const LOST_BYTE = 0xff;

/** SQLite plays a hot journal back before it looks at the file itself. */
function playJournal(path: string): void {
  const database = openCopy(path);
  try {
    database.prepare('SELECT count(*) FROM main.sqlite_schema').get();
  } catch (error) {
    if (!isCorruptionCode(systemCode(error))) throw error;
  } finally {
    database.close();
  }
}

/** As many pages as the header says, where it can be right: a file that was cut short had more than it has. */
function pagesExpected(filePages: number, stated: number, { pageCount }: ManifestDatabase): number {
  const least = Math.max(filePages, pageCount);
  if (stated === 0) return least;
  return stated <= least * GROWTH_MAX ? Math.max(filePages, stated) : least;
}

/** As many as the last commit of the log says, where that can be right. */
function pagesWithLog(source: FilePageSource, filePages: number, known: ManifestDatabase): number {
  const held = Math.max(filePages, known.pageCount) + source.walFrames;
  return Math.min(source.pageCount, held * GROWTH_MAX);
}

/**
 * Makes one file of a private copy of a family, whatever its page 1 looks like: its journal played back, the commits
 * of its WAL written into it, and pages that are missing at its end there again, so that none of them reads well.
 * @returns its pages
 */
export async function flattenCopy(path: string, known: ManifestDatabase): Promise<number> {
  if (((await bytesOf(`${path}-journal`)) ?? 0) > 0) playJournal(path);
  const { pageBytes } = known;
  const hasWal = ((await bytesOf(`${path}-wal`)) ?? 0) > 0;
  const wal = hasWal ? { wal: `${path}-wal` } : {};
  const source = openPageSource(path, { ...wal, facts: { pageBytes } });
  const handle = openSync(path, 'r+');
  let pageCount: number;
  try {
    const filePages = Math.ceil(fstatSync(handle).size / pageBytes);
    const { header, walFrames } = source;
    const stated = header?.versionValidFor === header?.changeCounter ? header?.pageCount : 0;
    pageCount =
      walFrames > 0
        ? pagesWithLog(source, filePages, known)
        : pagesExpected(filePages, stated ?? 0, known);
    const wholePages = Math.floor(fstatSync(handle).size / pageBytes);
    const lost = Buffer.alloc(pageBytes, LOST_BYTE);
    for (let page = walFrames > 0 ? 1 : wholePages + 1; page <= pageCount; page += 1) {
      const bytes = walFrames > 0 ? source.read(page) : null;
      const isWhole = page <= wholePages || bytes?.length === pageBytes;
      const content = isWhole ? bytes : lost;
      if (content !== null) writeSync(handle, content, 0, content.length, (page - 1) * pageBytes);
    }
    ftruncateSync(handle, pageCount * pageBytes);
  } finally {
    source.close();
    closeSync(handle);
  }
  for (const suffix of ['-wal', '-shm', '-journal']) await rm(`${path}${suffix}`, { force: true });
  return pageCount;
}
