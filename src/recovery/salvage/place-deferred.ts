import type { DeferredPage, DeferredRow } from './deferred-rows.ts';
import type { RowidTable } from './rowid-table.ts';
import type { SalvageTarget } from './salvage-target.ts';

/** Which table, if any, the rows of a page belong to that hangs in the wrong place or nowhere. */

/** Name of the table that a page belonged to in the snapshot; null where it does not say. */
export type FormerOwner = (page: number) => string | null;

export interface PlacingFacts {
  readonly formerOwner: FormerOwner;
  /** Pages of no tree beyond this one may be free ones, which hold deleted rows. */
  readonly accountedPages: number;
  /** True when the snapshot has the very same row. */
  isKnown(table: RowidTable, row: DeferredRow): boolean;
}

interface PageKeys {
  readonly first: bigint;
  readonly last: bigint;
  readonly ascending: boolean;
  readonly count: number;
  /** Tables each of whose rows could have any of the page's records. */
  readonly fitting: readonly RowidTable[];
}

function readKeys(
  target: SalvageTarget,
  page: DeferredPage,
  tables: readonly RowidTable[],
): PageKeys | null {
  let fitting = tables;
  let first: bigint | null = null;
  let last: bigint | null = null;
  let previous: bigint | null = null;
  let ascending = true;
  let count = 0;
  for (const { rowid, record } of target.deferred.rows(page)) {
    fitting = fitting.filter((table) => table.misfit(record) === null);
    ascending &&= previous === null || rowid > previous;
    previous = rowid;
    first = first === null || rowid < first ? rowid : first;
    last = last === null || rowid > last ? rowid : last;
    count += 1;
  }
  return first === null || last === null ? null : { first, last, ascending, count, fitting };
}

/**
 * A table that lost the rows in whose range the page's keys lie. Of several, the one in whose tree the page hangs, or
 * that had it in the snapshot. In a run of several rows, beside others in their place or where the table always had
 * them, the order vouches for keys that lie nowhere lost: then it was the key above the page that changed. A single such
 * row may have got its key from the damage.
 */
function tableFor(
  { page, owner }: DeferredPage,
  { first, last, ascending, count, fitting }: PageKeys,
  { formerOwner, accountedPages }: PlacingFacts,
): RowidTable | null {
  const vacant = fitting.filter(({ lost }) => lost.covers(first, last));
  const named = (name: string | null): RowidTable | undefined =>
    vacant.find(({ shape }) => shape.name === name);
  if (owner === null && page > accountedPages) {
    // It may as well be a free page: only what no other table could have had is taken for lost.
    return named(formerOwner(page)) ?? (fitting.length === 1 ? (vacant[0] ?? null) : null);
  }
  if (vacant.length === 1) return vacant[0]!;
  if (vacant.length > 1) return named(owner) ?? named(formerOwner(page)) ?? null;
  if (owner === null) return orphanOf(fitting, formerOwner(page));
  if (!ascending || count < 2) return null;
  const own = fitting.find(({ shape }) => shape.name === owner);
  if (own === undefined) return null;
  return own.foreignPages.has(page) && formerOwner(page) !== owner ? null : own;
}

/** A page that is neither free nor in any tree was in one that lost it without a trace. */
function orphanOf(fitting: readonly RowidTable[], former: string | null): RowidTable | null {
  const known = fitting.find(({ shape }) => shape.name === former);
  if (known !== undefined) return known;
  const incomplete = fitting.filter(({ childrenMissing }) => childrenMissing);
  return incomplete.length === 1 ? incomplete[0]! : null;
}

/**
 * @param tables every table with row ids
 * @returns the number of rows on pages of no tree that were given to no table
 */
export async function placeDeferred(
  target: SalvageTarget,
  tables: readonly RowidTable[],
  facts: PlacingFacts,
): Promise<number> {
  let homeless = 0;
  for (const page of target.deferred.pages()) {
    const keys = readKeys(target, page, tables);
    if (keys === null) continue;
    const table = tableFor(page, keys, facts);
    if (table === null) {
      await settleRest(target, page, tables, facts);
      if (page.owner === null && page.page <= facts.accountedPages) homeless += keys.count;
      continue;
    }
    const rank = page.owner === null ? 'adopted' : 'displaced';
    for (const { rowid, record } of target.deferred.rows(page)) {
      await table.adopt(rowid, record, page.page, rank);
    }
    table.lost.remove(keys.first, keys.last);
    table.adoptedPages.add(page.page);
  }
  return homeless;
}

/** Of a page that is no table's as a whole: rows that its tree had in the snapshot already, and that are as they were. */
async function settleRest(
  target: SalvageTarget,
  page: DeferredPage,
  tables: readonly RowidTable[],
  facts: PlacingFacts,
): Promise<void> {
  const owner = tables.find(({ shape }) => shape.name === page.owner);
  const reason = 'no table, or more than one, lost rows like this one';
  for (const row of target.deferred.rows(page)) {
    const { rowid, record } = row;
    if (owner !== undefined && facts.isKnown(owner, row)) {
      await owner.adopt(rowid, record, page.page, 'displaced');
    } else if (owner !== undefined) owner.reject(rowid, record, page.page, reason);
    else {
      const about = { table: null, key: String(rowid), reason, page: page.page };
      target.reject(about, record.values);
    }
  }
}
