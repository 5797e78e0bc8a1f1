import { orphanLeaves } from '../../sqlite/btree/orphan-pages.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import { readFreelist } from '../../sqlite/format/freelist.ts';
import type { DamagedSource } from './damaged-source.ts';
import { hasEmptiedText } from './emptied-text.ts';
import type { SalvageTarget } from './salvage-target.ts';

/**
 * Puts off the rows of leaves that no tree leads to, once all trees of tables were walked. Free pages hold deleted rows:
 * while it cannot be said which those are, no page is taken for one that was lost.
 */
export async function deferOrphans(
  { pages, claims }: DamagedSource,
  target: SalvageTarget,
): Promise<void> {
  const freelist = pages.header === null ? null : readFreelist(pages);
  if (freelist?.ok !== true) return;
  const free = new Set([...freelist.trunks, ...freelist.leaves]);
  for (const { page, kind, sound } of orphanLeaves(pages, claims, free)) {
    if (kind !== 'table-leaf' || !sound) continue;
    for (const event of walkTable(pages, page, claims)) {
      if (event.type !== 'row' || event.displaced === true) continue;
      if (hasEmptiedText(event, 'table-leaf', pages.usableBytes)) continue;
      const place = { page, owner: null, cell: event.cell };
      target.deferred.add(place, BigInt(event.rowid), event.payload);
      await target.rowDone();
    }
  }
}
