import Database from 'better-sqlite3';
import { messageOf } from '../../../kernel/errors.ts';
import { type KeyTable, rowText } from './truth-key.ts';

/** What one way of reading makes of a database, against its truth key. */
export interface Reading {
  readonly right: number;
  readonly missing: number;
  /** Rows that the key does not have, deleted ones included. */
  readonly wrong: number;
  /** Of those that are wrong: rows that the key says were deleted. */
  readonly deleted: number;
  /** Why there is no more; null when reading came to its end. */
  readonly stopped: string | null;
}

/** A damaged tree may have no end. */
const ROWS_MAX = 10_000;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A value as text; numbers with a point by value, for keys write them as they were inserted. */
export function shown(value: unknown): string {
  if (value === null) return '';
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  const text = String(value);
  return /^-?\d*\.\d+$/.test(text) ? String(Number(text)) : text;
}

/** R-trees keep single precision, rounded outwards: least values down, greatest up. */
function rounded(row: readonly string[]): string[] {
  return row.map((text, index) => {
    const value = Number(text);
    const near = Math.fround(value);
    if (index === 0 || near === value) return text;
    const isLeast = index % 2 === 1;
    if (isLeast ? near < value : near > value) return String(near);
    const step = 2 ** -23;
    return String(Math.fround(value * (isLeast === value < 0 ? 1 + step : 1 - step)));
  });
}

/** Takes every row of `left` that `right` has as often; returns what is left of both. */
function difference(left: readonly string[], right: readonly string[]): [string[], string[]] {
  const counts = new Map<string, number>();
  for (const row of right) counts.set(row, (counts.get(row) ?? 0) + 1);
  const only: string[] = [];
  for (const row of left) {
    const count = counts.get(row) ?? 0;
    if (count === 0) only.push(row);
    else counts.set(row, count - 1);
  }
  return [only, [...counts].flatMap(([row, count]) => Array<string>(count).fill(row))];
}

/** Whoever wrote the keys took carriage returns for ends of lines. */
const TABLE_NAME = `SELECT name FROM sqlite_schema WHERE type = 'table' AND replace(name, char(13), char(10)) = ?`;

function readTable(
  database: Database.Database,
  { name, columns }: KeyTable,
): { rows: string[]; stopped: string | null } {
  const rows: string[] = [];
  try {
    const known = database.prepare(TABLE_NAME).pluck().get(name);
    const list = columns.map(quoted).join(', ');
    const query = database.prepare(
      `SELECT ${list} FROM main.${quoted(String(known ?? name))} NOT INDEXED`,
    );
    for (const row of query.raw().safeIntegers().iterate()) {
      rows.push(rowText((row as unknown[]).map(shown)));
      if (rows.length > ROWS_MAX) return { rows, stopped: 'no end' };
    }
    return { rows, stopped: null };
  } catch (error) {
    return { rows, stopped: messageOf(error) };
  }
}

function isRectangles(database: Database.Database, name: string): boolean {
  try {
    const find = `SELECT 1 FROM sqlite_schema WHERE name = ? AND sql LIKE '%using rtree%'`;
    return database.prepare(find).get(name) !== undefined;
  } catch {
    return false;
  }
}

/** Reads a file that may be replayed and changed, and compares every table that the key has. */
export function readAgainst(path: string, tables: readonly KeyTable[]): Reading {
  const total = { right: 0, missing: 0, wrong: 0, deleted: 0 };
  let stopped: string | null = null;
  const database = new Database(path);
  try {
    database.pragma('mmap_size = 0');
    for (const table of tables) {
      // Dropped: SQLite shall not know it, and salvage neither.
      const wanted = table.rows.length > 0 || table.deletedRows.length === 0;
      const isRounded = isRectangles(database, table.name);
      const found = readTable(database, table);
      if (wanted) stopped ??= found.stopped;
      const form = (row: string): string => {
        const values = (JSON.parse(row) as string[]).map(shown);
        return rowText(isRounded ? rounded(values) : values);
      };
      const [wrong, missing] = difference(found.rows, table.rows.map(form));
      const [strange] = difference(wrong, table.deletedRows.map(form));
      total.right += table.rows.length - missing.length;
      total.missing += missing.length;
      total.wrong += wrong.length;
      total.deleted += wrong.length - strange.length;
    }
  } finally {
    database.close();
  }
  return { ...total, stopped };
}

/** Every row of the key is missing: nothing could be read. */
export function nothingRead(tables: readonly KeyTable[], stopped: string): Reading {
  const missing = tables.reduce((count, { rows }) => count + rows.length, 0);
  return { right: 0, missing, wrong: 0, deleted: 0, stopped };
}
