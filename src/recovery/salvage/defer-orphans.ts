import { orphanLeaves } from '../../sqlite/btree/orphan-pages.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import { readFreelist } from '../../sqlite/format/freelist.ts';
import type { DamagedSource } from './damaged-source.ts';
import { hasEmptiedText } from './emptied-text.ts';
import type { SalvageTarget } from './salvage-target.ts';
import type { SnapshotSource } from './snapshot-source.ts';

/**
 * Puts off the rows of leaves that no tree leads to, once all trees of tables were walked. Free pages hold deleted rows:
 * while it cannot be said which those are, only pages that a table had in the snapshot, or that were written since then,
 * are taken for ones that may have been lost.
 * @returns up to which page it can be said which ones are free; 0 where it cannot
 */
export async function deferOrphans(
  { pages, claims, statedPages }: DamagedSource,
  snapshot: SnapshotSource | null,
  target: SalvageTarget,
): Promise<number> {
  const freelist = pages.header === null ? null : readFreelist(pages);
  const accounted = freelist?.ok === true ? statedPages : 0;
  const free = new Set(freelist?.ok === true ? [...freelist.trunks, ...freelist.leaves] : []);
  for (const { page, kind, sound } of orphanLeaves(pages, claims, free)) {
    if (kind !== 'table-leaf' || !sound) continue;
    if (page > accounted && snapshot?.wasUnowned(page, pages.read(page)) !== false) continue;
    for (const event of walkTable(pages, page, claims)) {
      if (event.type !== 'row' || event.displaced === true) continue;
      if (hasEmptiedText(event, 'table-leaf', pages.usableBytes)) continue;
      const place = { page, owner: null, cell: event.cell };
      target.deferred.add(place, BigInt(event.rowid), event.payload);
      await target.rowDone();
    }
  }
  return accounted;
}
