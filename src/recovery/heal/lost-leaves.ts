import { readPayload } from '../../sqlite/format/overflow.ts';
import { decodePage } from '../../sqlite/format/page.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { decodeRecord } from '../../sqlite/format/record.ts';
import { cellsOf } from './page-cells.ts';
import type { SnapshotPages } from './splice.ts';

export interface UnownedPages {
  readonly live: PageSource;
  readonly snapshot: SnapshotPages;
  /** Pages that no tree owns, and that are not known to be free. */
  readonly pages: readonly number[];
  /** False: the freelist is lost, so that pages which were let go are among them. */
  readonly isFreelistKnown: boolean;
  /** Roots of trees of which a page that lists others came from the snapshot: it does not know those written since. */
  readonly interiorRoots: ReadonlySet<number>;
  /** Root pages of trees that are made again: what was theirs is not lost. */
  readonly derived: ReadonlySet<number>;
  readonly hasFullText: boolean;
}

/** A number and a blob, as full-text tables keep their index: it can be made again. */
function isFullTextPage(live: PageSource, page: number): boolean {
  const bytes = live.read(page);
  const [cell] = cellsOf(live, page);
  if (bytes === null || cell === undefined) return false;
  const payload = readPayload(live, bytes, cell);
  const record = payload.ok ? decodeRecord(payload.payload, live.encoding) : payload;
  if (!record.ok) return false;
  const [id, block] = record.values;
  return id === null && Buffer.isBuffer(block) && record.values.length === 2;
}

/**
 * Rows on leaves of tables that nothing refers to and that are not known to be free. Where the freelist is lost, a leaf
 * that is as the snapshot has it was let go since: the pages of the snapshot above it would know it. So was one whose
 * tree is whole.
 */
export function lostLeafRows({
  live,
  snapshot,
  pages,
  isFreelistKnown,
  interiorRoots,
  derived,
  hasFullText,
}: UnownedPages): number {
  if (!isFreelistKnown && interiorRoots.size === 0) return 0;
  let rows = 0;
  for (const page of pages) {
    const bytes = live.read(page);
    const decoded = bytes === null ? null : decodePage(bytes, page, live);
    if (bytes === null || decoded?.ok !== true || decoded.kind !== 'table-leaf') continue;
    const root = snapshot.map.placeOf(page)?.root ?? 0;
    if (!isFreelistKnown && root > 0 && !interiorRoots.has(root)) continue;
    if (derived.has(root) || (hasFullText && isFullTextPage(live, page))) continue;
    if (!isFreelistKnown && snapshot.source.read(page)?.equals(bytes) === true) continue;
    rows += decoded.cellOffsets.length;
  }
  return rows;
}
