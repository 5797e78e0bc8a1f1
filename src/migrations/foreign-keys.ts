import type Database from 'better-sqlite3';

/** Rows whose parent is missing, by table and parent; null: it cannot be told, for a fault of the schema. */
export type Orphans = ReadonlyMap<string, number> | null;

/** A scan of every table with foreign keys. */
export function countOrphans(database: Database.Database): Orphans {
  try {
    const rows = database
      .prepare('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')
      .raw()
      .all() as [string, string, number][];
    return new Map(rows.map(([table, parent, count]) => [`${table} → ${parent}`, count]));
  } catch {
    return null;
  }
}

/** What is worse than before, in words; null where nothing is. */
export function newOrphans(before: Orphans, after: Orphans): string | null {
  if (after === null) {
    return before === null ? null : 'foreign keys refer to a table or column that is not there';
  }
  for (const [relation, count] of after) {
    const had = before?.get(relation) ?? 0;
    if (count > had) return `${count - had} rows are left without their parent (${relation})`;
  }
  return null;
}
