import { orphanLeaves } from '../../sqlite/btree/orphan-pages.ts';
import { walkIndex } from '../../sqlite/btree/walk-index.ts';
import { readFreelist } from '../../sqlite/format/freelist.ts';
import type { DamagedSource } from './damaged-source.ts';
import type { KeyedTable } from './keyed-table.ts';
import type { SnapshotSource } from './snapshot-source.ts';

/**
 * Gives WITHOUT ROWID tables the leaves back that no tree leads to any more and that were theirs in the snapshot. What
 * an index holds by now is left to it.
 */
export async function adoptKeyedOrphans(
  { pages, claims, schema }: DamagedSource,
  snapshot: SnapshotSource | null,
  tables: readonly KeyedTable[],
): Promise<void> {
  const lossy = tables.filter(({ hasLostPages }) => hasLostPages);
  if (snapshot === null || lossy.length === 0) return;
  for (const { type, rootPage } of schema) {
    if (type !== 'index' || rootPage === 0) continue;
    // Every page that it leads to is claimed.
    for (const _ of walkIndex(pages, rootPage, claims, null));
  }
  const freelist = readFreelist(pages);
  const free = new Set(freelist.ok ? [...freelist.trunks, ...freelist.leaves] : []);
  for (const { page, kind, sound } of orphanLeaves(pages, claims, free)) {
    if (kind !== 'index-leaf' || !sound) continue;
    const owner = snapshot.keyedOwnerOf(page);
    const table = lossy.find(({ shape }) => shape.name === owner);
    await table?.adoptLeaf(pages, page, claims);
  }
}
