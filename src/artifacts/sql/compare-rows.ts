import { setImmediate } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { messageOf, systemCode } from '../../kernel/errors.ts';
import { concatenated } from './concatenated.ts';
import { quotedName } from './quoted-name.ts';
import { readTableLayout, type TableLayout } from './table-layout.ts';

const ROWS_PER_TURN = 2000;

/** The first row that differs, in words, or null. Rows are taken in the order in which they are stored. */
export async function compareRows(
  left: Database.Database,
  right: Database.Database,
  table: string,
  activity: Activity,
): Promise<string | null> {
  const [ours, theirs] = [readTableLayout(left, table), readTableLayout(right, table)];
  if (JSON.stringify(ours) !== JSON.stringify(theirs))
    return `table ${table} has other columns there`;
  const order = ours.withoutRowid ? keyOrder(left, table) : '';
  try {
    return await compareStreams(
      rowsOf(left, ours, order),
      rowsOf(right, theirs, order),
      table,
      activity,
    );
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_') !== true) throw error;
    return `table ${table} cannot be compared: ${messageOf(error)}`;
  }
}

async function compareStreams(
  left: Generator<Buffer>,
  right: Generator<Buffer>,
  table: string,
  activity: Activity,
): Promise<string | null> {
  try {
    for (let number = 1; ; number++) {
      const [ours, theirs] = [left.next(), right.next()];
      if (ours.done === true && theirs.done === true) return null;
      if (ours.done === true) return `table ${table} ends before row ${number} here`;
      if (theirs.done === true) return `table ${table} ends before row ${number} there`;
      if (!ours.value.equals(theirs.value)) return `table ${table}: row ${number} differs`;
      if (number % ROWS_PER_TURN !== 0) continue;
      activity.signal.throwIfAborted();
      await setImmediate();
    }
  } finally {
    left.return(undefined);
    right.return(undefined);
  }
}

interface KeyColumn {
  readonly name: string;
  readonly desc: number;
  readonly coll: string;
}

/** The order of a table without rowids: old schema formats keep a descending key in ascending order, new ones do not. */
function keyOrder(database: Database.Database, table: string): string {
  const columns = database
    .prepare<[string], KeyColumn>(
      `SELECT x.name, x."desc", x.coll FROM pragma_index_list(?, 'main') l, pragma_index_xinfo(l.name, 'main') x
       WHERE l.origin = 'pk' AND x."key" = 1 ORDER BY x.seqno`,
    )
    .safeIntegers(false)
    .all(table);
  const terms = columns.map(
    ({ name, desc, coll }) =>
      `${quotedName(name)} COLLATE ${quotedName(coll)} ${desc === 1 ? 'DESC' : 'ASC'}`,
  );
  return `ORDER BY ${terms.join(', ')}`;
}

/** Each row as bytes that are equal only if all values and their types are. */
function* rowsOf(
  database: Database.Database,
  table: TableLayout,
  order: string,
): Generator<Buffer> {
  const isUtf8 = database.pragma('encoding', { simple: true }) === 'UTF-8';
  const rowid = table.rowidName === null ? [] : [rowidExpression(table)];
  const values = table.columns.map((column) => (isUtf8 ? value : utf16Value)(quotedName(column)));
  // A single value would lose its comma.
  const row = `CAST(${concatenated(["''", ...rowid, ...values])} AS BLOB)`;
  yield* database
    .prepare<[], Buffer>(`SELECT ${row} FROM main.${quotedName(table.name)} NOT INDEXED ${order}`)
    .pluck()
    .iterate();
}

function rowidExpression(table: TableLayout): string {
  return table.rowidColumn === null ? table.rowidName! : quotedName(table.rowidColumn);
}

/** With its length before it, no text is taken for the end of a value. */
function value(name: string): string {
  return `CASE typeof(${name})
    WHEN 'text' THEN concat('t', octet_length(${name}), ':', ${name})
    WHEN 'blob' THEN concat('b', octet_length(${name}), ':', ${name})
    ELSE quote(${name}) END`;
}

/** Text may be no text in UTF-16: its bytes are compared. */
function utf16Value(name: string): string {
  return `CASE typeof(${name})
    WHEN 'text' THEN 't' || hex(CAST(${name} AS BLOB)) ELSE quote(${name}) END`;
}
