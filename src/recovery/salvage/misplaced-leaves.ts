import { Claims } from '../../sqlite/btree/claims.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';

/**
 * Leaves of a tree most of whose rows are out of place: whole pages that belong elsewhere. The few rows of such a page
 * that happen to lie where it hangs are no more this table's than the others.
 */
export function misplacedLeaves(source: PageSource, root: number): ReadonlySet<number> {
  const misplaced = new Set<number>();
  let page = 0;
  let surplus = 0;
  const close = (): void => {
    if (surplus > 0) misplaced.add(page);
  };
  for (const event of walkTable(source, root, new Claims())) {
    if (event.type === 'leaf') {
      close();
      page = event.page;
      surplus = 0;
    } else if (event.type === 'row') surplus += event.displaced === true ? 1 : -1;
  }
  close();
  return misplaced;
}
