import type { Claims } from '../../sqlite/btree/claims.ts';
import { compareKeys } from '../../sqlite/btree/compare-keys.ts';
import type { IndexKey, IndexRow, LeafEvent } from '../../sqlite/btree/walk-events.ts';
import { walkIndex } from '../../sqlite/btree/walk-index.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { SqliteRecord } from '../../sqlite/format/record.ts';
import type { SalvagedTable } from '../report.ts';
import { EMPTIED, hasEmptiedText } from './emptied-text.ts';
import { describeValue, misfitOf } from './row-fit.ts';
import { emptyTally } from './salvage-report.ts';
import type { SalvageTarget } from './salvage-target.ts';
import type { KeyRange, SnapshotTable } from './snapshot-rows.ts';
import { TableInserter } from './table-inserter.ts';
import type { TableShape } from './table-shape.ts';

/** Rows out of place that are kept in memory; beyond it the snapshot has to do. */
const DISPLACED_MAX = 1_000;

interface LostKeys extends KeyRange {
  readonly reason: string;
  readonly cell: boolean;
}

interface OpenLeaf {
  readonly page: number;
  readonly high: IndexKey | null;
  /** The last row in place, or what the page lies above. */
  previous: IndexKey | null;
  /** Since then, a row came that is not in place: something else was there. */
  gap: boolean;
}

/**
 * One WITHOUT ROWID table. Its pages look like those of any index, so that none is taken over from elsewhere: what its
 * tree does not hold comes from the snapshot.
 */
export class KeyedTable {
  readonly shape: TableShape;
  readonly tally: SalvagedTable;
  readonly #target: SalvageTarget;
  readonly #inserter: TableInserter;
  readonly #lost: LostKeys[] = [];
  readonly #displaced: IndexRow[] = [];
  #leaf: OpenLeaf | null = null;

  constructor(target: SalvageTarget, shape: TableShape) {
    this.#target = target;
    this.shape = shape;
    this.tally = emptyTally(shape.name);
    this.#inserter = new TableInserter(target.database, shape);
  }

  /** @param descends false where the database is too old for indexes in descending order */
  async walk(source: PageSource, root: number, claims: Claims, descends: boolean): Promise<void> {
    const compare = compareKeys(
      this.shape.key.map((column) => ({ ...column, descending: descends && column.descending })),
    );
    for (const event of walkIndex(source, root, claims, compare)) {
      if (event.type === 'row') await this.#row(event, source.usableBytes);
      else if (event.type === 'leaf') this.#openLeaf(event);
      else if (event.type === 'bad-cell') {
        const reason = `page ${event.page} cell ${event.cell}: ${event.why}`;
        this.#lose(event.low, event.high, reason);
      } else if (event.type === 'lost') {
        const reason = `page ${event.page}: ${event.why}`;
        this.#lost.push({ after: event.low, upTo: event.high, reason, cell: false });
      }
    }
    this.#closeLeaf();
    // Without an order nothing is out of place.
    if (compare !== null) await this.#placeDisplaced(compare);
  }

  #lose(after: IndexKey | null, upTo: IndexKey | null, reason: string): void {
    this.tally.lost += 1;
    this.#lost.push({ after, upTo, reason, cell: true });
  }

  #openLeaf({ page, low, high }: LeafEvent<IndexKey>): void {
    this.#closeLeaf();
    this.#leaf = { page, high, previous: low, gap: false };
  }

  #closeLeaf(): void {
    if (this.#leaf?.gap) this.#gapUpTo(this.#leaf, this.#leaf.high);
    this.#leaf = null;
  }

  #gapUpTo({ page, previous: after }: OpenLeaf, upTo: IndexKey | null): void {
    const reason = `page ${page} holds other rows in its place`;
    this.#lost.push({ after, upTo, reason, cell: false });
  }

  async #row(row: IndexRow, usableBytes: number): Promise<void> {
    if (row.interior) this.#closeLeaf();
    const kind = row.interior ? 'index-interior' : 'index-leaf';
    if (hasEmptiedText(row, kind, usableBytes)) {
      const after = this.#leaf?.previous ?? null;
      this.#lose(after, row.values, `page ${row.page} cell ${row.cell}: ${EMPTIED}`);
      return;
    }
    const misfit = misfitOf(this.shape, row);
    if (misfit !== null || row.displaced === true) {
      if (this.#leaf !== null) this.#leaf.gap = true;
      if (misfit === null && this.#displaced.length < DISPLACED_MAX) this.#displaced.push(row);
      else this.#reject(row, row.page, misfit ?? 'more rows out of place than are kept');
      return;
    }
    if (this.#leaf?.gap) this.#gapUpTo(this.#leaf, row.values);
    if (this.#leaf !== null) Object.assign(this.#leaf, { gap: false, previous: row.values });
    await this.#insert(row, row.page, 'inPlace');
  }

  /** A row out of place belongs to this table where the table lost rows: it may as well be an entry of an index. */
  async #placeDisplaced(compare: (left: IndexKey, right: IndexKey) => number): Promise<void> {
    for (const row of this.#displaced) {
      const within = this.#lost.some(
        ({ after, upTo }) =>
          (after === null || compare(row.values, after) > 0) &&
          (upTo === null || compare(row.values, upTo) <= 0),
      );
      if (within) await this.#insert(row, row.page, 'displaced');
      else this.#reject(row, row.page, 'out of place, and none is missing there');
    }
  }

  async #insert(record: SqliteRecord, page: number, rank: 'inPlace' | 'displaced'): Promise<void> {
    const result = this.#inserter.insert(null, record);
    if (result.inserted) this.tally[rank] += 1;
    else this.#reject(record, page, result.reason);
    await this.#target.rowDone();
  }

  #keyOf({ values }: { readonly values: IndexKey }): string {
    return JSON.stringify(values.slice(0, this.shape.key.length).map(describeValue));
  }

  #reject(record: SqliteRecord, page: number, reason: string): void {
    this.tally.rejected += 1;
    const key = this.#keyOf(record);
    this.#target.reject({ table: this.shape.name, key, reason, page }, record.values);
  }

  /** Rows of the snapshot where the file lost its own, and only there: what was deleted stays deleted. */
  async fill(snapshot: SnapshotTable): Promise<void> {
    for (const range of this.#lost) {
      for (const { record } of snapshot.inKeyRange(range)) {
        const result = this.#inserter.insert(null, record);
        if (result.inserted) {
          this.tally.filled += 1;
          if (range.cell && this.tally.lost > 0) this.tally.lost -= 1;
          const key = this.#keyOf(record);
          this.#target.filled({ table: this.shape.name, key, reason: range.reason });
        } else if (!result.keyTaken) {
          this.#reject(record, 0, `of the snapshot: ${result.reason}`);
        }
        await this.#target.rowDone();
      }
    }
  }

  /** Rows that may have been there and that nothing is known of: at least one for each range that is still open. */
  get unaccounted(): number {
    return this.tally.lost + this.#lost.filter(({ cell }) => !cell).length;
  }
}
