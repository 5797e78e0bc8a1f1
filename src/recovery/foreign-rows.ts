import { openCopy } from './candidates/settle.ts';
import { pairing, quoted } from './table-rows.ts';

/** Rows that the damaged file shows in a table although no row of that table can have such a record. */
export interface ForeignRows {
  readonly table: string;
  readonly rowids: readonly bigint[];
}

/**
 * How many of them a candidate took over: rows that never were.
 * @param without a sound file that left them out; it may have the true rows of the same row ids
 */
function countTaken(candidate: string, without: string, foreign: readonly ForeignRows[]): number {
  if (candidate === without || foreign.length === 0) return 0;
  const database = openCopy(candidate);
  try {
    database.prepare('ATTACH ? AS reference').run(without);
    database.exec('CREATE TEMP TABLE foreign_rows(id INTEGER PRIMARY KEY)');
    const add = database.prepare('INSERT OR IGNORE INTO temp.foreign_rows VALUES(?)');
    let count = 0;
    for (const { table, rowids } of foreign) {
      const pair = pairing(database, table);
      if (pair === null || pair.rowid === null) continue;
      database.exec('DELETE FROM temp.foreign_rows');
      for (const rowid of rowids) add.run(rowid);
      const name = quoted(table);
      count += database
        .prepare<[], number>(
          `SELECT count(*) FROM temp.foreign_rows AS f JOIN main.${name} AS c ON c.${pair.rowid} = f.id
           WHERE NOT EXISTS (SELECT 1 FROM reference.${name} AS r WHERE ${pair.join} AND ${pair.same})`,
        )
        .pluck()
        .get()!;
    }
    return count;
  } finally {
    database.close();
  }
}

export interface ForeignCount {
  /** Foreign rows that the candidate took over. */
  readonly taken: number;
  /** By table: those that it left out; nothing of one that took some over. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** @param honest the candidate that tells foreign rows apart, where there is one */
export function countForeign(
  candidate: string,
  honest: { readonly path: string; readonly foreignRows?: readonly ForeignRows[] } | undefined,
): ForeignCount {
  const foreign = honest?.foreignRows ?? [];
  const taken = honest === undefined ? 0 : countTaken(candidate, honest.path, foreign);
  const leftOut =
    taken > 0 ? [] : foreign.map(({ table, rowids }) => [table, rowids.length] as const);
  return { taken, leftOut: new Map(leftOut) };
}
