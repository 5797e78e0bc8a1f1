import type Database from 'better-sqlite3';
import { openCopy } from './candidates/settle.ts';
import { fullTextTables, readSchema, type SchemaObject } from './damage.ts';
import type { TableRows } from './report.ts';
import { compareTable, countRows } from './table-rows.ts';

/** Rows of a candidate against the rows of another file: what is kept, what is not. */

/** Names of the tables that hold an application's own rows: no shadow tables that are derived, nothing of SQLite's. */
export function contentTables(schema: readonly SchemaObject[]): string[] {
  const derived = new Set(fullTextTables(schema).flatMap((table) => [...table.derived]));
  return schema
    .filter(({ type, rootPage }) => type === 'table' && rootPage > 0)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('sqlite_') && !derived.has(name));
}

/** Names of the tables with an application's own rows in a sound private file. */
export function tableNames(path: string): string[] {
  const database = openCopy(path);
  try {
    return contentTables(readSchema(database));
  } finally {
    database.close();
  }
}

/** Rows in all of these tables. */
export function countAllRows(path: string): number {
  const database = openCopy(path);
  try {
    const counts = contentTables(readSchema(database)).map((table) =>
      countRows(database, 'main', table),
    );
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  } finally {
    database.close();
  }
}

function attach(database: Database.Database, path: string): readonly SchemaObject[] | null {
  try {
    database.prepare('ATTACH ? AS reference').run(path);
    return database
      .prepare<[], SchemaObject>(
        'SELECT type, name, tbl_name AS "table", coalesce(rootpage, 0) AS rootPage, sql FROM reference.sqlite_schema',
      )
      .all();
  } catch {
    return null;
  }
}

/**
 * Compares table by table; tables of either side are listed.
 * @param damaged names of tables known to be damaged in the reference, however well they seem to read
 * @returns null when the reference's schema cannot be read
 */
export function compareRows(
  candidate: string,
  reference: string,
  damaged: ReadonlySet<string>,
  signal: AbortSignal,
): TableRows[] | null {
  const database = openCopy(candidate);
  try {
    const referenceSchema = attach(database, reference);
    if (referenceSchema === null) return null;
    const there = new Set(contentTables(referenceSchema));
    const here = new Set(contentTables(readSchema(database)));
    return [...new Set([...there, ...here])].sort().map((table) => {
      signal.throwIfAborted();
      return compareTable(database, table, {
        inCandidate: here.has(table),
        inReference: there.has(table),
        damaged: damaged.has(table),
      });
    });
  } finally {
    database.close();
  }
}

export interface Score {
  /** Rows of the damaged file that the candidate does not have exactly. */
  readonly notKept: number;
  /** Rows of the snapshot, in tables that could not be read to their end, whose keys the candidate lacks. */
  readonly missing: number;
  /** Rows of the candidate that the damaged file no longer has, in tables that can be read to their end. */
  readonly resurrected: number;
}

export function scoreOf(
  rows: readonly TableRows[],
  againstSnapshot: readonly TableRows[] | null,
): Score {
  const broken = new Set(rows.filter(({ readToEnd }) => !readToEnd).map(({ table }) => table));
  const sum = (tables: readonly TableRows[], count: (each: TableRows) => number): number =>
    tables.reduce((total, each) => total + count(each), 0);
  return {
    notKept: sum(rows, ({ stale, lost }) => stale + lost),
    missing: sum(
      (againstSnapshot ?? []).filter(({ table }) => broken.has(table)),
      ({ lost }) => lost,
    ),
    resurrected: sum(
      rows.filter(({ readToEnd }) => readToEnd),
      ({ filled }) => filled,
    ),
  };
}

/**
 * Negative when `left` is the better one: fewer rows lost or missing; of as many, fewer that are known to be lost;
 * fewer resurrected; less invasive, in this order.
 */
export function compareScores(
  left: { readonly score: Score; readonly invasiveness: number },
  right: { readonly score: Score; readonly invasiveness: number },
): number {
  const lost = ({ score }: { readonly score: Score }): number => score.notKept + score.missing;
  return (
    lost(left) - lost(right) ||
    left.score.notKept - right.score.notKept ||
    left.score.resurrected - right.score.resurrected ||
    left.invasiveness - right.invasiveness
  );
}
