import { closeSync, existsSync, openSync } from 'node:fs';
import type { Activity } from '../../kernel/activity.ts';
import { openPageSource, type PageSource } from '../../sqlite/format/page-source.ts';
import { readInto } from '../../sqlite/read-at.ts';

const PAGES_BETWEEN_LOOKS = 1_000;

/** The state of a private copy of a family that nothing has open: its file with its WAL, as SQLite would lay it over. */
export function openFamilyPages(
  path: string,
  facts: { readonly pageBytes: number; readonly pageCount?: number },
): PageSource & { close(): void } {
  const wal = `${path}-wal`;
  return openPageSource(path, { facts, ...(existsSync(wal) ? { wal } : {}) });
}

/** How many pages of the family's state are not those of the image, both lengths counted. */
export function countDifferingPages(
  path: string,
  image: string,
  facts: { readonly pageBytes: number; readonly pageCount: number },
  activity: Activity,
): number {
  const { pageBytes, pageCount } = facts;
  const source = openFamilyPages(path, { pageBytes });
  const handle = openSync(image, 'r');
  try {
    const expected = Buffer.alloc(pageBytes);
    let differing = Math.max(0, source.pageCount - pageCount);
    for (let page = 1; page <= pageCount; page += 1) {
      if (page % PAGES_BETWEEN_LOOKS === 0) activity.signal.throwIfAborted();
      readInto(handle, expected, (page - 1) * pageBytes);
      if (source.read(page)?.equals(expected) !== true) differing += 1;
    }
    return differing;
  } finally {
    source.close();
    closeSync(handle);
  }
}
