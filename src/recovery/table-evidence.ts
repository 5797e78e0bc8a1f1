import type Database from 'better-sqlite3';
import { countRows, pairing, quoted } from './table-rows.ts';

/** What a sound file (`reference`) has of one table beyond a candidate (`main`). */

export interface TableEvidence {
  /** Rows of the other side that are neither here nor in the snapshot as they are there. */
  readonly unseen: number;
  /** Rows that the other side has as the snapshot has them, and whose keys are not here. */
  readonly missing: number;
}

/**
 * One table of the candidate (`main`) against that of another sound file (`reference`).
 * @param hasSnapshot an image is attached as `snapshot`
 */
export function countEvidence(
  database: Database.Database,
  table: string,
  hasSnapshot: boolean,
): TableEvidence {
  const pair = attempt(() => pairing(database, table));
  if (pair === null) {
    // Either side lacks the table, or the key to pair its rows by.
    const isHere = countRows(database, 'main', table) !== null;
    return { unseen: isHere ? 0 : (countRows(database, 'reference', table) ?? 0), missing: 0 };
  }
  const name = quoted(table);
  const known = hasSnapshot
    ? `EXISTS (SELECT 1 FROM snapshot.${name} AS c WHERE ${pair.join} AND ${pair.same})`
    : '0';
  const here = `SELECT 1 FROM main.${name} AS c WHERE ${pair.join}`;
  const counted = attempt(() =>
    database
      .prepare<[], TableEvidence>(
        `SELECT count(CASE WHEN NOT known AND NOT same THEN 1 END) AS unseen,
                count(CASE WHEN known AND NOT here THEN 1 END) AS missing
         FROM (SELECT ${known} AS known, EXISTS (${here}) AS here,
                      EXISTS (${here} AND ${pair.same}) AS same
               FROM reference.${name} AS r NOT INDEXED)`,
      )
      .get(),
  );
  if (counted != null) return counted;
  // The snapshot may not have the table, or not with these columns.
  return hasSnapshot ? countEvidence(database, table, false) : { unseen: 0, missing: 0 };
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
