import type { Cell } from '../format/cell.ts';
import type { PageSource } from '../format/page-source.ts';
import type { OpenedCell } from './cell-order.ts';
import { readClaimedRecord } from './claimed-payload.ts';
import type { Claims } from './claims.ts';
import type { IndexKey, IndexRow, IndexWalkEvent } from './walk-events.ts';
import { type CellPlace, TreeWalk } from './walk-tree.ts';

/**
 * Every entry of an index, or row of a WITHOUT ROWID table. An interior entry bounds the intervals on both of its
 * sides and belongs to neither.
 * @param compare the order of the tree (`compareKeys`); null where it is not known: then nothing is displaced
 */
export function walkIndex(
  source: PageSource,
  root: number,
  claims: Claims,
  compare: ((left: IndexKey, right: IndexKey) => number) | null,
): Generator<IndexWalkEvent> {
  const open = (cell: Cell, { bytes, page, cell: index, interior }: CellPlace) => {
    const record = readClaimedRecord(source, claims, root, bytes, cell);
    return {
      key: record.ok ? record.values : null,
      row: (gap) => {
        if (!record.ok) return record.fault;
        const { payload, values, serialTypes } = record;
        const place = { page, cell: index, interior };
        const row = { type: 'row', payload, values, serialTypes, ...place } as const;
        return gap === null ? row : { ...row, displaced: true, gap };
      },
    } satisfies OpenedCell<IndexKey, IndexRow>;
  };
  const walk = new TreeWalk<IndexKey, IndexRow>(source, root, claims, {
    leafKind: 'index-leaf',
    interiorKind: 'index-interior',
    interiorRows: true,
    compare,
    open,
  });
  return walk.events();
}
