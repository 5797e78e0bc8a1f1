import type Database from 'better-sqlite3';
import { Claims } from '../../sqlite/btree/claims.ts';
import type { TableRow } from '../../sqlite/btree/walk-events.ts';
import { walkIndex } from '../../sqlite/btree/walk-index.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { type RecordValue, StoredText } from '../../sqlite/format/record.ts';
import type { SchemaObject } from '../damage.ts';
import { readTableShape } from './table-shape.ts';

/**
 * Tables that stand at the root of one another: each tree is sound, and only the indexes know whose rows they are. They
 * name the same rows under the same keys as the table that they belong to.
 */

/** Enough to tell tables apart; the walk of an index ends once all are found. */
const SAMPLE_ROWS = 16;
/** Entries of an index that are looked at; beyond them it says nothing. */
const ENTRIES_MAX = 200_000;

interface Witness {
  readonly indexRoot: number;
  /** Position in the stored record of each column of the index; null for the row id. */
  readonly columns: readonly (number | null)[];
}

/** An index that lists every row of the table by the values of plain columns. */
function witnessOf(
  database: Database.Database,
  schema: readonly SchemaObject[],
  table: string,
): Witness | null {
  const shape = readTableShape(database, table);
  if (shape === null || shape.withoutRowid) return null;
  for (const { type, table: owner, name, rootPage, sql } of schema) {
    // Those that are not unique are made later: what they are of is not known yet.
    if (type !== 'index' || owner !== table || /\bwhere\b/i.test(sql ?? '')) continue;
    const names = database
      .prepare<[string], string | null>(
        `SELECT name FROM pragma_index_info(?, 'main') ORDER BY seqno`,
      )
      .pluck()
      .all(name);
    const columns = names.map((each) => shape.stored.findIndex((stored) => stored.name === each));
    if (columns.length === 0 || columns.includes(-1)) continue;
    const { rowidAlias } = shape;
    return {
      indexRoot: rootPage,
      columns: columns.map((column) => (column === rowidAlias ? null : column)),
    };
  }
  return null;
}

function sampleOf(source: PageSource, root: number): Map<bigint, TableRow> {
  const rows = new Map<bigint, TableRow>();
  for (const event of walkTable(source, root, new Claims())) {
    if (event.type === 'row' && !event.displaced) rows.set(BigInt(event.rowid), event);
    if (rows.size === SAMPLE_ROWS) break;
  }
  return rows;
}

function same(left: RecordValue, right: RecordValue): boolean {
  if (left instanceof StoredText)
    return right instanceof StoredText && left.bytes.equals(right.bytes);
  if (Buffer.isBuffer(left)) return Buffer.isBuffer(right) && left.equals(right);
  return left === right;
}

/** How many rows of the sample the index lists as they are; null where it is too large to tell. */
function rowsVouchedFor(
  source: PageSource,
  { indexRoot, columns }: Witness,
  sample: ReadonlyMap<bigint, TableRow>,
): number | null {
  let found = 0;
  let vouched = 0;
  let entries = 0;
  for (const event of walkIndex(source, indexRoot, new Claims(), null)) {
    if (event.type !== 'row') continue;
    if ((entries += 1) > ENTRIES_MAX) return null;
    const rowid = event.values.at(-1);
    if (typeof rowid !== 'number' && typeof rowid !== 'bigint') continue;
    const row = sample.get(BigInt(rowid));
    if (row === undefined) continue;
    found += 1;
    const values = columns.map((column) => (column === null ? row.rowid : row.values[column]));
    const agrees = values.every((value, index) => {
      const listed = event.values[index];
      return value !== undefined && listed !== undefined && same(value, listed);
    });
    if (agrees) vouched += 1;
    if (found === sample.size) break;
  }
  return vouched;
}

interface Stranger {
  readonly table: SchemaObject;
  readonly witness: Witness;
  readonly sample: ReadonlyMap<bigint, TableRow>;
}

/**
 * @param database has the tables and their unique indexes already
 * @returns the root of each table, by name, where its index vouches for the tree of another and not for its own
 */
export function exchangedRoots(
  source: PageSource,
  database: Database.Database,
  schema: readonly SchemaObject[],
  tables: readonly SchemaObject[],
): ReadonlyMap<string, number> {
  const strangers: Stranger[] = [];
  for (const table of tables) {
    const witness = witnessOf(database, schema, table.name);
    if (witness === null) continue;
    const sample = sampleOf(source, table.rootPage);
    if (sample.size === 0 || rowsVouchedFor(source, witness, sample) !== 0) continue;
    strangers.push({ table, witness, sample });
  }
  const roots = new Map<string, number>();
  for (const { table, witness } of strangers) {
    const own = strangers.filter(
      ({ table: other, sample }) =>
        other !== table && rowsVouchedFor(source, witness, sample) === sample.size,
    );
    if (own.length === 1) roots.set(table.name, own[0]!.table.rootPage);
  }
  // One that is not also given to its own would be read twice.
  return new Set(roots.values()).size === roots.size ? roots : new Map();
}
