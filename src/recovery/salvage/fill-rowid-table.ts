import type { DamagedSource } from './damaged-source.ts';
import { rowidsListed } from './index-witness.ts';
import type { RowidTable } from './rowid-table.ts';
import type { SnapshotTable } from './snapshot-rows.ts';
import type { SnapshotSource } from './snapshot-source.ts';

/** Fills what is still missing of a table once every row of the damaged file has its place. */
export async function fillRowidTable(
  table: RowidTable,
  rows: SnapshotTable,
  snapshot: SnapshotSource,
  { pages, schema }: DamagedSource,
): Promise<void> {
  closeAdopted(table, snapshot);
  if (table.lost.ranges.length === 0) return;
  await table.fill(rows, rowidsListed(pages, table, schema));
}

/** Where every page below a lost interior page was found, what lies between them was deleted. */
function closeAdopted(table: RowidTable, snapshot: SnapshotSource): void {
  for (const { page, low, high } of table.lostPages) {
    const children = snapshot.childrenOf(page) ?? [];
    if (children.length === 0 || !children.every((each) => table.adoptedPages.has(each))) continue;
    const after = low === null ? null : BigInt(low);
    table.lost.removeWithin({ after, upTo: high === null ? null : BigInt(high) });
  }
}
