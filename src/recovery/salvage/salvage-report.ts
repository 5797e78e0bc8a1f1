import type { SalvagedTable } from '../report.ts';

/** Rows of a kind that the report names; all of them are counted. */
export const SAMPLE_MAX = 50;

export function emptyTally(table: string): SalvagedTable {
  return { table, inPlace: 0, displaced: 0, adopted: 0, filled: 0, rejected: 0, lost: 0 };
}
