import type { Cell } from '../format/cell.ts';
import type { PageSource } from '../format/page-source.ts';
import { compareIntegers, type Integer } from '../format/varint.ts';
import type { OpenedCell } from './cell-order.ts';
import { readClaimedRecord } from './claimed-payload.ts';
import type { Claims } from './claims.ts';
import type { TableRow, TableWalkEvent } from './walk-events.ts';
import { type CellPlace, TreeWalk } from './walk-tree.ts';

/** Every row of a rowid table that is there, and every interval of rowids that is not. */
export function walkTable(
  source: PageSource,
  root: number,
  claims: Claims,
): Generator<TableWalkEvent> {
  const open = (cell: Cell, { bytes, page, cell: index }: CellPlace) => {
    const rowid = cell.rowid!;
    return {
      key: rowid,
      row: (gap) => {
        const record = readClaimedRecord(source, claims, root, bytes, cell);
        if (!record.ok) return record.fault;
        const { payload, values, serialTypes } = record;
        const row = {
          type: 'row',
          rowid,
          payload,
          values,
          serialTypes,
          page,
          cell: index,
        } as const;
        return gap === null ? row : { ...row, displaced: true, gap };
      },
    } satisfies OpenedCell<Integer, TableRow>;
  };
  const walk = new TreeWalk<Integer, TableRow>(source, root, claims, {
    leafKind: 'table-leaf',
    interiorKind: 'table-interior',
    interiorRows: false,
    compare: compareIntegers,
    open,
  });
  return walk.events();
}
