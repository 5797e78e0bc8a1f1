import type Database from 'better-sqlite3';
import {
  REAL_SERIAL_TYPE,
  type RecordValue,
  type SqliteRecord,
  StoredText,
} from '../../sqlite/format/record.ts';
import type { TextEncoding } from '../../sqlite/header.ts';
import { type Bound, boundValue, placeholder } from './bound-values.ts';
import { quoted } from './quoted.ts';
import { type KeyColumn, readTableShape, type TableShape } from './table-shape.ts';

/** Rows of a sound snapshot within a range of keys, as records of the table that they are to complete. */

/** Row ids above `after` up to and including `upTo`; null: without bound. */
export interface RowidRange {
  readonly after: bigint | null;
  readonly upTo: bigint | null;
}

/** Keys of a WITHOUT ROWID table after `after` up to and including `upTo`, in the table's own order; null: without bound. */
export interface KeyRange {
  readonly after: readonly RecordValue[] | null;
  readonly upTo: readonly RecordValue[] | null;
}

export interface SnapshotRow {
  /** Null in a WITHOUT ROWID table. */
  readonly rowid: bigint | null;
  readonly record: SqliteRecord;
}

const isNumber = (value: RecordValue): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

function isSame(left: RecordValue, right: RecordValue): boolean {
  if (left instanceof StoredText) {
    return right instanceof StoredText && left.bytes.equals(right.bytes);
  }
  if (Buffer.isBuffer(left)) return Buffer.isBuffer(right) && left.equals(right);
  // A real number without a fraction is stored as an integer.
  if (isNumber(left) && isNumber(right)) return !(left < right) && !(left > right);
  return left === right;
}

const TEXT = 'text';
const REAL = 'real';

export class SnapshotTable {
  readonly #database: Database.Database;
  readonly #shape: TableShape;
  readonly #encoding: TextEncoding;

  private constructor(database: Database.Database, shape: TableShape, encoding: TextEncoding) {
    this.#database = database;
    this.#shape = shape;
    this.#encoding = encoding;
  }

  /**
   * @returns null when the snapshot's table has not the columns of today's, less those that were added since: its
   *   rows would be other rows
   */
  static open(
    database: Database.Database,
    today: TableShape,
    encoding: TextEncoding,
  ): SnapshotTable | null {
    const shape = readTableShape(database, today.name);
    if (shape === null || shape.withoutRowid !== today.withoutRowid) return null;
    if (shape.stored.length > today.stored.length) return null;
    const same =
      shape.stored.every(({ name }, index) => name === today.stored[index]?.name) &&
      shape.rowidAlias === today.rowidAlias &&
      shape.key.length === today.key.length;
    if (!same || (!today.withoutRowid && shape.rowid === null)) return null;
    return new SnapshotTable(database, shape, encoding);
  }

  *inRowidRange({ after, upTo }: RowidRange): Generator<SnapshotRow> {
    const { rowid } = this.#shape;
    const conditions: string[] = [];
    const bound: bigint[] = [];
    if (after !== null) {
      conditions.push(`${rowid} > ?`);
      bound.push(after);
    }
    if (upTo !== null) {
      conditions.push(`${rowid} <= ?`);
      bound.push(upTo);
    }
    yield* this.#select(conditions, bound);
  }

  /** True when the row of this id has exactly these values. */
  has(rowid: bigint, { values }: SqliteRecord): boolean {
    for (const { record } of this.inRowidRange({ after: rowid - 1n, upTo: rowid })) {
      const known = record.values;
      return (
        known.length === values.length &&
        known.every((value, index) => isSame(value, values[index]!))
      );
    }
    return false;
  }

  *inKeyRange({ after, upTo }: KeyRange): Generator<SnapshotRow> {
    const conditions: Condition[] = [];
    if (after !== null) conditions.push(keyCondition(this.#shape.key, after, 'after'));
    if (upTo !== null) conditions.push(keyCondition(this.#shape.key, upTo, 'up to'));
    yield* this.#select(
      conditions.map(({ sql }) => sql),
      conditions.flatMap(({ bound }) => bound),
    );
  }

  *#select(conditions: readonly string[], bound: readonly Bound[]): Generator<SnapshotRow> {
    const { stored, rowid, name } = this.#shape;
    const columns = stored.flatMap((column) => {
      const id = quoted(column.name);
      return [
        `typeof(${id})`,
        `CASE typeof(${id}) WHEN '${TEXT}' THEN CAST(${id} AS BLOB) ELSE ${id} END`,
      ];
    });
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const rows = this.#database
      .prepare<Bound[], (Bound | string)[]>(
        `SELECT ${[rowid ?? 'NULL', ...columns].join(', ')} FROM main.${quoted(name)} NOT INDEXED${where}`,
      )
      .raw()
      .safeIntegers()
      .iterate(...bound);
    for (const [id, ...cells] of rows) {
      yield { rowid: id as bigint | null, record: this.#record(cells) };
    }
  }

  #record(cells: readonly (Bound | string)[]): SqliteRecord {
    const values: RecordValue[] = [];
    const serialTypes: number[] = [];
    for (let index = 0; index < this.#shape.stored.length; index += 1) {
      const type = cells[index * 2];
      const value = cells[index * 2 + 1] as Bound;
      const alias = index === this.#shape.rowidAlias;
      values.push(
        alias ? null : type === TEXT ? new StoredText(value as Buffer, this.#encoding) : value,
      );
      serialTypes.push(type === REAL ? REAL_SERIAL_TYPE : 0);
    }
    return { values, serialTypes };
  }
}

interface Condition {
  readonly sql: string;
  readonly bound: readonly Bound[];
}

/** Row by row comparison in the order of the columns, each of which may descend: `a > x OR a = x AND b > y`. */
function keyCondition(
  columns: readonly KeyColumn[],
  key: readonly RecordValue[],
  side: 'after' | 'up to',
): Condition {
  const used = columns.slice(0, key.length);
  const alternatives: string[] = [];
  const bound: Bound[] = [];
  const compare = (index: number, operator: string): string => {
    const { name, collation } = used[index]!;
    bound.push(boundValue(key[index]!));
    return `${quoted(name)} COLLATE ${quoted(collation)} ${operator} ${placeholder(key[index]!)}`;
  };
  const equals = (count: number): string[] =>
    used.slice(0, count).map((_, index) => compare(index, '='));
  for (const [index, { descending }] of used.entries()) {
    const ahead = (side === 'after') === descending ? '<' : '>';
    alternatives.push([...equals(index), compare(index, ahead)].join(' AND '));
  }
  if (side === 'up to') alternatives.push(equals(used.length).join(' AND '));
  return { sql: `(${alternatives.map((each) => `(${each})`).join(' OR ')})`, bound };
}
