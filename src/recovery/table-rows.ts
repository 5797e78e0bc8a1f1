import type Database from 'better-sqlite3';
import type { TableRows } from './report.ts';

/** One table of the candidate (`main`) against the same table of an attached, possibly damaged file (`reference`). */

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

interface Column {
  readonly name: string;
  /** Position in the primary key, from 1; 0 outside it. */
  readonly pk: number;
  /** 2 and 3 are generated: they follow from the others. */
  readonly hidden: number;
}

const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];

/** How rows of the two sides are paired. */
interface Pairing {
  /** The table's integer row id, or null for a WITHOUT ROWID table. */
  readonly rowid: string | null;
  readonly join: string;
  /** True when the paired rows hold the same values, bit for bit where SQLite can tell. */
  readonly same: string;
  /** A column of the candidate's side that is null only where there is no row. */
  readonly presence: string;
}

function columnsOf(database: Database.Database, schema: string, table: string): Column[] {
  return database
    .prepare<[string, string], Column>(
      'SELECT name, pk, hidden FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1',
    )
    .all(table, schema)
    .filter(({ hidden }) => hidden === 0);
}

/** A table is without row ids where none of the names that no column bears can be asked for. */
function rowidName(
  database: Database.Database,
  table: string,
  columns: readonly Column[],
): string | null {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  for (const name of ROWID_NAMES.filter((each) => !taken.has(each))) {
    try {
      database.prepare(`SELECT ${name} FROM main.${quoted(table)}`);
      return name;
    } catch {
      return null;
    }
  }
  return null;
}

export function pairing(database: Database.Database, table: string): Pairing | null {
  const here = columnsOf(database, 'main', table);
  const there = columnsOf(database, 'reference', table);
  const shared = new Set(there.map(({ name }) => name));
  // A column that only one side has makes every row another row.
  const sameColumns = here.length === there.length && here.every(({ name }) => shared.has(name));
  const equal = ({ name }: Column): string =>
    `c.${quoted(name)} IS r.${quoted(name)} COLLATE BINARY`;
  const same = sameColumns ? here.map(equal).join(' AND ') || '1' : '0';
  const rowid = rowidName(database, table, here);
  if (rowid !== null) {
    return { rowid, join: `c.${rowid} = r.${rowid}`, same, presence: `c.${rowid}` };
  }
  const key = here.filter(({ pk, name }) => pk > 0 && shared.has(name));
  if (key.length === 0) return null;
  const join = key.map(({ name }) => `c.${quoted(name)} = r.${quoted(name)}`).join(' AND ');
  return { rowid: null, join, same, presence: `c.${quoted(key[0]!.name)}` };
}

interface Tally {
  readable: number;
  kept: number;
  stale: number;
  readToEnd: boolean;
}

const stateOf = ({ presence, same }: Pairing): string =>
  `CASE WHEN ${presence} IS NULL THEN 0 WHEN ${same} THEN 2 ELSE 1 END`;

const joined = (table: string, { join }: Pairing): string =>
  `reference.${quoted(table)} AS r NOT INDEXED LEFT JOIN main.${quoted(table)} AS c ON ${join}`;

/** The whole table in one statement: it succeeds unless there is damage. */
function tallyAtOnce(database: Database.Database, table: string, pair: Pairing): Tally {
  const row = database
    .prepare<[], { readable: number; kept: number; stale: number }>(
      `SELECT count(*) AS readable, count(CASE WHEN state = 2 THEN 1 END) AS kept,
              count(CASE WHEN state = 1 THEN 1 END) AS stale
       FROM (SELECT ${stateOf(pair)} AS state FROM ${joined(table, pair)})`,
    )
    .get();
  return { readable: row!.readable, kept: row!.kept, stale: row!.stale, readToEnd: true };
}

// A loop in a damaged b-tree must end.
const ROWS_READ_MAX = 1_000_000_000;

function count(tally: Tally, state: number): void {
  tally.readable += 1;
  if (state === 2) tally.kept += 1;
  if (state === 1) tally.stale += 1;
}

/**
 * Row by row from one end until damage stops it. Row ids must go on in one direction: pages that are linked twice or
 * in a circle would otherwise be counted again and again.
 */
function tallyUntilDamage(
  database: Database.Database,
  table: string,
  pair: Pairing,
  direction: 'ASC' | 'DESC',
  tally: Tally,
  beyond: bigint | null,
): bigint | null {
  const order = pair.rowid === null ? '' : `ORDER BY r.${pair.rowid} ${direction}`;
  const id = pair.rowid === null ? '0' : `r.${pair.rowid}`;
  let last: bigint | null = null;
  let rows = 0;
  try {
    const reading = database
      .prepare<[], [bigint, bigint]>(
        `SELECT ${id}, ${stateOf(pair)} FROM ${joined(table, pair)} ${order}`,
      )
      .raw()
      .safeIntegers()
      .iterate();
    for (const [rowid, state] of reading) {
      if ((rows += 1) > ROWS_READ_MAX) break;
      if (pair.rowid !== null) {
        if (direction === 'DESC' && beyond !== null && rowid <= beyond) break;
        if (last !== null && (direction === 'ASC' ? rowid <= last : rowid >= last)) continue;
      }
      last = rowid;
      count(tally, Number(state));
    }
  } catch {
    // Damage: what was read until here is what can be read from this end.
  }
  return last;
}

function tallyDamaged(database: Database.Database, table: string, pair: Pairing): Tally {
  const tally: Tally = { readable: 0, kept: 0, stale: 0, readToEnd: false };
  const last = tallyUntilDamage(database, table, pair, 'ASC', tally, null);
  // The far side of the damage; a WITHOUT ROWID table has no numbers to tell where the two readings meet.
  if (pair.rowid !== null) tallyUntilDamage(database, table, pair, 'DESC', tally, last);
  return tally;
}

function tallyTable(database: Database.Database, table: string): Tally {
  const nothing: Tally = { readable: 0, kept: 0, stale: 0, readToEnd: false };
  try {
    const pair = pairing(database, table);
    if (pair === null) return nothing;
    try {
      return tallyAtOnce(database, table, pair);
    } catch {
      return tallyDamaged(database, table, pair);
    }
  } catch {
    return nothing;
  }
}

/** Rows of one side alone, as far as they can be read. */
export function countRows(
  database: Database.Database,
  schema: string,
  table: string,
): number | null {
  try {
    const sql = `SELECT count(*) FROM ${schema}.${quoted(table)} NOT INDEXED`;
    return database.prepare<[], number>(sql).pluck().get() ?? null;
  } catch {
    return null;
  }
}

export function compareTable(
  database: Database.Database,
  table: string,
  facts: {
    readonly inCandidate: boolean;
    readonly inReference: boolean;
    /** A check named this table: reading it may end early without an error. */
    readonly damaged: boolean;
  },
): TableRows {
  const total = facts.inCandidate ? (countRows(database, 'main', table) ?? 0) : 0;
  const none = { table, total, kept: 0, stale: 0 };
  if (!facts.inReference) {
    return { ...none, readable: null, readToEnd: true, lost: 0, filled: total };
  }
  if (!facts.inCandidate) {
    const readable = countRows(database, 'reference', table);
    return { ...none, readable, readToEnd: !facts.damaged, lost: readable ?? 0, filled: 0 };
  }
  const { readable, kept, stale, readToEnd } = tallyTable(database, table);
  return {
    table,
    readable,
    readToEnd: readToEnd && !facts.damaged,
    total,
    kept,
    stale,
    lost: readable - kept - stale,
    filled: Math.max(0, total - kept - stale),
  };
}
