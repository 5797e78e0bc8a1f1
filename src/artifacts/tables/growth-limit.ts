import { dirname } from 'node:path';
import type Database from 'better-sqlite3';
import { freeBytes } from '../../files/free-space.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';

/**
 * A definition that comes with a file can compute values of any size. A database made of a file may be many times as
 * large as the file, for small rows with many indexes, but not without bound.
 */

const GROWTH_MAX = 64;
const SPARE_BYTES = 256 * 1024 * 1024;
const PAGES_MAX = 2 ** 32 - 2;

/** The same pieces; each makes room for what may be made of it. */
export async function* roomFor(
  input: AsyncIterable<Uint8Array>,
  database: Database.Database,
): AsyncGenerator<Uint8Array> {
  const pageBytes = database.pragma('page_size', { simple: true }) as number;
  let bytes = 0;
  for await (const piece of input) {
    bytes += piece.length;
    const pages = Math.ceil((bytes * GROWTH_MAX + SPARE_BYTES) / pageBytes);
    database.pragma(`max_page_count = ${Math.min(pages, PAGES_MAX)}`);
    yield piece;
  }
}

/** Where SQLite found no room: there was as much as it may have on the disk, so that it was the bound that it met. */
export async function asGrowthError(
  database: Database.Database,
  path: string,
  error: unknown,
): Promise<unknown> {
  if (systemCode(error) !== 'SQLITE_FULL') return error;
  const [pages, pagesMax, pageBytes] = ['page_count', 'max_page_count', 'page_size'].map(
    (pragma) => database.pragma(pragma, { simple: true }) as number,
  );
  if ((await freeBytes(dirname(path))) < (pagesMax! - pages!) * pageBytes!) return error;
  const state = 'it becomes far larger than its file';
  return cannot('LIMIT_EXCEEDED', 'make a database of', 'the file', state, {
    hint: 'Nothing was imported. Make the tables yourself, and import into that database.',
    cause: error,
  });
}
