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

type Compare = (left: IndexKey, right: IndexKey) => number;

/**
 * One WITHOUT ROWID table. Its pages look like those of any index, so that none is taken over that was not its own in
 * the snapshot: what its tree does not hold comes from there.
 */
export class KeyedTable {
  readonly shape: TableShape;
  readonly tally: SalvagedTable;
  readonly #target: SalvageTarget;
  readonly #inserter: TableInserter;
  readonly #lost: LostKeys[] = [];
  readonly #displaced: IndexRow[] = [];
  #leaf: OpenLeaf | null = null;
  #compare: Compare | null = null;

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
    this.#compare = compare;
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
  async #placeDisplaced(compare: Compare): Promise<void> {
    for (const row of this.#displaced) {
      if (this.#lost.some((range) => isWithin(row.values, range, compare)))
        await this.#insert(row, row.page, 'displaced');
      else this.#reject(row, row.page, 'out of place, and none is missing there');
    }
  }

  /** True when pages of its tree are missing, so that some of its leaves may hang nowhere. */
  get hasLostPages(): boolean {
    return this.#compare !== null && this.#lost.some(({ cell }) => !cell);
  }

  /** Takes over a leaf that was its own and hangs nowhere, where all of its rows lie among those that are lost. */
  async adoptLeaf(source: PageSource, page: number, claims: Claims): Promise<void> {
    const compare = this.#compare;
    const events = [...walkIndex(source, page, claims, compare)];
    const rows = events.filter((event) => event.type === 'row');
    const [first, last] = [rows[0], rows.at(-1)];
    const isOwn = (row: IndexRow): boolean =>
      row.displaced !== true &&
      row.values.length === this.shape.stored.length &&
      misfitOf(this.shape, row) === null &&
      !hasEmptiedText(row, 'index-leaf', source.usableBytes);
    if (compare === null || first === undefined || last === undefined) return;
    const range = this.#lost.find(
      (each) => isWithin(first.values, each, compare) && isWithin(last.values, each, compare),
    );
    if (range === undefined || rows.length + 1 < events.length || !rows.every(isOwn)) return;
    for (const row of rows) await this.#insert(row, page, 'adopted');
    // Between its first and its last row the leaf is all there was.
    const { reason, cell } = range;
    const before = { after: range.after, upTo: first.values, reason, cell };
    const behind = { after: last.values, upTo: range.upTo, reason, cell };
    this.#lost.splice(this.#lost.indexOf(range), 1, before, behind);
  }

  async #insert(
    record: SqliteRecord,
    page: number,
    rank: 'inPlace' | 'displaced' | 'adopted',
  ): Promise<void> {
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

const isWithin = (key: IndexKey, { after, upTo }: KeyRange, compare: Compare): boolean =>
  (after === null || compare(key, after) > 0) && (upTo === null || compare(key, upTo) <= 0);
