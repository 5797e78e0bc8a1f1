import type Database from 'better-sqlite3';
import { openCopy } from './candidates/settle.ts';
import type { SchemaObject } from './damage.ts';
import type { StandIn } from './splice-pages.ts';
import { quoted } from './table-rows.ts';

/** Indexes of which a page came from the snapshot, and lacks what was written since. */

interface Entries {
  readonly entries: number;
  /** Entries of rows that the table does not have. */
  readonly orphans: number;
}

function countEntries(database: Database.Database, { name, table }: SchemaObject): Entries {
  const own = quoted(table);
  return database
    .prepare<[], Entries>(
      `SELECT count(*) AS entries, count(CASE WHEN t.rowid IS NULL THEN 1 END) AS orphans
       FROM main.${own} AS e INDEXED BY ${quoted(name)} LEFT JOIN main.${own} AS t NOT INDEXED ON t.rowid = e.rowid`,
    )
    .get()!;
}

/** Rows that came with pages of the table, by what the index, too, knows of them. */
function areListed(
  database: Database.Database,
  { name, table }: SchemaObject,
  rowids: readonly (number | bigint)[],
): boolean {
  if (rowids.length === 0) return true;
  const list = rowids.join(', ');
  const sql = `SELECT count(*) FROM main.${quoted(table)} INDEXED BY ${quoted(name)} WHERE +rowid IN (${list})`;
  return database.prepare<[], number>(sql).pluck().get() === rowids.length;
}

/** Null: the index knows of rows that the table lost, or does not know of rows that came with its pages. */
function isStale(
  database: Database.Database,
  index: SchemaObject,
  fromSnapshot: readonly (number | bigint)[],
): boolean | null {
  const sql = `SELECT count(*) FROM main.${quoted(index.table)} NOT INDEXED`;
  const rows = database.prepare<[], number>(sql).pluck().get()!;
  const { entries, orphans } = countEntries(database, index);
  if (orphans > 0) return null;
  if (entries === rows) return false;
  return areListed(database, index, fromSnapshot) ? true : null;
}

/**
 * Rebuilds, in a private copy, the indexes that a page of the snapshot made stale.
 * @returns their names; null where an index tells of rows that the copy lacks: rebuilding it would hide that
 * @throws what SQLite throws, also for a partial index, which cannot answer for its table
 */
export function rebuildStaleIndexes(
  path: string,
  schema: readonly SchemaObject[],
  standIns: readonly StandIn[],
): string[] | null {
  const roots = new Set(standIns.map(({ root }) => root));
  const indexes = schema.filter(({ type, rootPage }) => type === 'index' && roots.has(rootPage));
  const rootOf = (table: string): number | undefined =>
    schema.find(({ type, name }) => type === 'table' && name === table)?.rootPage;
  const database = openCopy(path);
  try {
    database.pragma('synchronous = OFF');
    const stale: string[] = [];
    for (const index of indexes) {
      const root = rootOf(index.table);
      const fromSnapshot = standIns.filter((each) => each.root === root);
      const found = isStale(
        database,
        index,
        fromSnapshot.flatMap(({ rowids }) => rowids),
      );
      if (found === null) return null;
      if (found) stale.push(index.name);
    }
    for (const name of stale) database.exec(`REINDEX main.${quoted(name)}`);
    return stale;
  } finally {
    database.close();
  }
}
