import type { Claims } from '../../sqlite/btree/claims.ts';
import type { BadCell, LeafEvent, LostInterval, TableRow } from '../../sqlite/btree/walk-events.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { SqliteRecord } from '../../sqlite/format/record.ts';
import type { Integer } from '../../sqlite/format/varint.ts';
import type { SalvagedTable } from '../report.ts';
import { EMPTIED, hasEmptiedText } from './emptied-text.ts';
import { LostRowids } from './lost-rowids.ts';
import { misplacedLeaves } from './misplaced-leaves.ts';
import { misfitOf } from './row-fit.ts';
import { emptyTally } from './salvage-report.ts';
import type { SalvageTarget } from './salvage-target.ts';
import type { SnapshotTable } from './snapshot-rows.ts';
import { TableInserter } from './table-inserter.ts';
import type { TableShape } from './table-shape.ts';

/** Beyond it, rows of other tables are no longer told apart in the score. */
const FOREIGN_MAX = 10_000;

interface OpenLeaf {
  readonly page: number;
  readonly high: bigint | null;
  /** The last row in place, or what the page lies above. */
  previous: bigint | null;
  /** Since then, a row came that is not in place: something else was there. */
  gap: boolean;
  inPlace: boolean;
}

const bigintOf = (value: Integer | null): bigint | null => (value === null ? null : BigInt(value));

/** One table with row ids: its rows in place first, then those found elsewhere, then those of the snapshot. */
export class RowidTable {
  readonly shape: TableShape;
  readonly tally: SalvagedTable;
  readonly lost = new LostRowids();
  /** Leaves of its tree that have no row in place. */
  readonly foreignPages = new Set<number>();
  /** An interior page is not whole: it may have led to more pages than it does. */
  childrenMissing = false;
  /** Pages taken over though they hung elsewhere or nowhere. */
  readonly adoptedPages = new Set<number>();
  /** Interior or leaf pages that the tree leads to and that could not be followed. */
  readonly lostPages: LostInterval<Integer>[] = [];
  /** Row ids that stand in its tree with records that none of its rows can have: a page of another table hangs there. */
  readonly foreignRowids: bigint[] = [];
  readonly #target: SalvageTarget;
  readonly #inserter: TableInserter;
  readonly #askFewest: () => number | null;
  #fewestValues: number | undefined;
  #misplaced: ReadonlySet<number> = new Set();
  #leaf: OpenLeaf | null = null;

  /** @param fewestValues asked once, when a record has fewer values than the table has columns; null: not known */
  constructor(target: SalvageTarget, shape: TableShape, fewestValues: () => number | null) {
    this.#target = target;
    this.shape = shape;
    this.#askFewest = fewestValues;
    this.tally = emptyTally(shape.name);
    this.#inserter = new TableInserter(target.database, shape);
  }

  async walk(source: PageSource, root: number, claims: Claims): Promise<void> {
    const faulty = new Set<number>();
    this.#misplaced = misplacedLeaves(source, root);
    for (const event of walkTable(source, root, claims)) {
      if (event.type === 'row') await this.#row(event, source.usableBytes);
      else if (event.type === 'bad-cell') this.#badCell(event);
      else if (event.type === 'leaf') this.#openLeaf(event);
      else if (event.type === 'lost') this.#lostPage(event);
      else faulty.add(event.page);
      if (event.type === 'leaf' && faulty.delete(event.page)) this.#suspect(event);
    }
    this.#closeLeaf();
    this.childrenMissing = faulty.size > 0;
  }

  /** Cells that a leaf no longer points to leave no other trace than bytes that nothing accounts for. */
  #suspect({ page, low, high }: LeafEvent<Integer>): void {
    const reason = `page ${page} is not whole`;
    this.lost.add({ after: bigintOf(low), upTo: bigintOf(high), reason, extent: 'leaf' });
  }

  #openLeaf({ page, low, high }: LeafEvent<Integer>): void {
    this.#closeLeaf();
    this.#leaf = {
      page,
      high: bigintOf(high),
      previous: bigintOf(low),
      gap: false,
      inPlace: false,
    };
  }

  #closeLeaf(): void {
    if (this.#leaf?.gap) this.#gapUpTo(this.#leaf, this.#leaf.high);
    if (this.#leaf?.inPlace === false) this.foreignPages.add(this.#leaf.page);
    this.#leaf = null;
  }

  #gapUpTo({ page, previous }: OpenLeaf, upTo: bigint | null): void {
    const reason = `page ${page} holds other rows in its place`;
    this.lost.add({ after: previous, upTo, reason, extent: 'leaf' });
  }

  #lostPage(event: LostInterval<Integer>): void {
    this.#closeLeaf();
    this.lostPages.push(event);
    const reason = `page ${event.page}: ${event.why}`;
    this.lost.add({
      after: bigintOf(event.low),
      upTo: bigintOf(event.high),
      reason,
      extent: 'page',
    });
  }

  /** A bad cell of an interior page loses no row: its children are still there. */
  #badCell({ page, cell, key, low, high, why }: BadCell<Integer>): void {
    if (page !== this.#leaf?.page) return;
    const after = key === null ? bigintOf(low) : BigInt(key) - 1n;
    this.#lose(after, bigintOf(key ?? high), `page ${page} cell ${cell}: ${why}`);
  }

  #lose(after: bigint | null, upTo: bigint | null, reason: string): void {
    this.tally.lost += 1;
    this.lost.add({ after, upTo, reason, extent: 'cell' });
  }

  async #row(row: TableRow, usableBytes: number): Promise<void> {
    const rowid = BigInt(row.rowid);
    const leaf = this.#leaf!;
    if (hasEmptiedText(row, 'table-leaf', usableBytes)) {
      this.#lose(rowid - 1n, rowid, `page ${row.page} cell ${row.cell}: ${EMPTIED}`);
      return;
    }
    const fits = this.misfit(row) === null;
    if (!fits && this.foreignRowids.length < FOREIGN_MAX) this.foreignRowids.push(rowid);
    if (row.displaced === true || this.#misplaced.has(row.page) || !fits) {
      leaf.gap = true;
      const place = { page: row.page, owner: this.shape.name, cell: row.cell };
      this.#target.deferred.add(place, rowid, row.payload);
      return;
    }
    if (leaf.gap) this.#gapUpTo(leaf, rowid - 1n);
    leaf.gap = false;
    leaf.inPlace = true;
    leaf.previous = rowid;
    if (this.#insert(rowid, row, row.page)) this.tally.inPlace += 1;
    await this.#target.rowDone();
  }

  /** Why no row of this table can have such a record, or null. */
  misfit(record: SqliteRecord): string | null {
    const { length } = record.values;
    if (length < this.shape.stored.length) {
      this.#fewestValues ??= this.#askFewest() ?? 0;
      if (length < this.#fewestValues) return 'fewer values than any row had';
    }
    return misfitOf(this.shape, record);
  }

  #insert(rowid: bigint, record: SqliteRecord, page: number): boolean {
    const result = this.#inserter.insert(rowid, record);
    if (result.inserted) return true;
    this.reject(rowid, record, page, result.reason);
    return false;
  }

  reject(rowid: bigint, { values }: SqliteRecord, page: number, reason: string): void {
    this.tally.rejected += 1;
    this.#target.reject({ table: this.shape.name, key: String(rowid), reason, page }, values);
  }

  /** Takes a row over that was found on a page of another place. */
  async adopt(
    rowid: bigint,
    record: SqliteRecord,
    page: number,
    rank: 'displaced' | 'adopted',
  ): Promise<void> {
    if (this.#insert(rowid, record, page)) this.tally[rank] += 1;
    await this.#target.rowDone();
  }

  /**
   * Rows of the snapshot where the file lost its own, and only there: what was deleted stays deleted.
   * @param listed those that were still there, where an index tells
   */
  async fill(snapshot: SnapshotTable, listed: ReadonlySet<bigint> | null): Promise<void> {
    for (const range of this.lost.ranges) {
      for (const { rowid, record } of snapshot.inRowidRange(range)) {
        if (listed?.has(rowid!) === false) continue;
        const result = this.#inserter.insert(rowid, record);
        if (result.inserted) {
          this.tally.filled += 1;
          if (range.extent === 'cell' && this.tally.lost > 0) this.tally.lost -= 1;
          const key = String(rowid);
          this.#target.filled({ table: this.shape.name, key, reason: range.reason });
        } else if (!result.keyTaken) {
          this.reject(rowid!, record, 0, `of the snapshot: ${result.reason}`);
        }
        await this.#target.rowDone();
      }
    }
  }

  /**
   * Rows that may have been there and that nothing is known of: at least one for each range that is still open.
   * @param highest the highest row id that was ever given, where the table knows it
   */
  unaccounted(highest: bigint | null): number {
    const open = this.lost.ranges.filter(
      ({ after, extent }) =>
        extent !== 'cell' && !(highest !== null && after !== null && after >= highest),
    );
    return this.tally.lost + open.length;
  }
}
