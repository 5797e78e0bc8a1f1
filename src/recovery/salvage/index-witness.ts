import { Claims } from '../../sqlite/btree/claims.ts';
import { walkIndex } from '../../sqlite/btree/walk-index.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { SchemaObject } from '../damage.ts';
import type { RowidTable } from './rowid-table.ts';

/** Beyond it, what an index says is not kept in memory. */
const LISTED_MAX = 1_000_000;

const PARTIAL = /\bwhere\b/i;

/**
 * Row ids that the table lost and that one of its indexes still lists: what it does not list had been deleted. Null
 * where no index can tell. It can where its tree is sound and it lists exactly as many other rows as were found.
 */
export function rowidsListed(
  source: PageSource,
  table: RowidTable,
  schema: readonly SchemaObject[],
): ReadonlySet<bigint> | null {
  for (const { type, table: owner, rootPage, sql } of schema) {
    if (type !== 'index' || owner !== table.shape.name || PARTIAL.test(sql ?? '')) continue;
    const listed = listedBy(source, rootPage, table);
    if (listed !== null) return listed;
  }
  return null;
}

function listedBy(
  source: PageSource,
  root: number,
  { lost, tally }: RowidTable,
): ReadonlySet<bigint> | null {
  const listed = new Set<bigint>();
  let others = 0;
  for (const event of walkIndex(source, root, new Claims(), null)) {
    if (event.type === 'leaf') continue;
    const rowid = event.type === 'row' ? event.values.at(-1) : null;
    if (typeof rowid !== 'number' && typeof rowid !== 'bigint') return null;
    const id = BigInt(rowid);
    if (!lost.covers(id, id)) others += 1;
    else if (listed.add(id).size > LISTED_MAX) return null;
  }
  return others === tally.inPlace + tally.displaced + tally.adopted ? listed : null;
}
