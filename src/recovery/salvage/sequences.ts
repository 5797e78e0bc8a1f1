import type Database from 'better-sqlite3';
import type { Claims } from '../../sqlite/btree/claims.ts';
import { walkTable } from '../../sqlite/btree/walk-table.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import { StoredText } from '../../sqlite/format/record.ts';
import { SEQUENCE_TABLE } from './salvage-schema.ts';

/** The highest row ids that AUTOINCREMENT tables ever gave, by table. */
export type Sequences = ReadonlyMap<string, bigint>;

/** From the damaged file, as far as they can be read. */
export function readSequences(source: PageSource, root: number, claims: Claims): Sequences {
  const sequences = new Map<string, bigint>();
  for (const event of walkTable(source, root, claims)) {
    if (event.type !== 'row') continue;
    const [name, highest] = event.values;
    if (!(name instanceof StoredText)) continue;
    if (typeof highest === 'number' && !Number.isInteger(highest)) continue;
    if (typeof highest !== 'number' && typeof highest !== 'bigint') continue;
    keepHighest(sequences, name.text, BigInt(highest));
  }
  return sequences;
}

function keepHighest(sequences: Map<string, bigint>, name: string, highest: bigint): void {
  const known = sequences.get(name);
  if (known === undefined || known < highest) sequences.set(name, highest);
}

interface SequenceRow {
  readonly name: string;
  readonly seq: bigint;
}

function hasSequences(database: Database.Database): boolean {
  const sql = 'SELECT 1 FROM main.sqlite_schema WHERE name = ?';
  return database.prepare(sql).get(SEQUENCE_TABLE) !== undefined;
}

/** From a sound database. */
export function sequencesOf(database: Database.Database): Sequences {
  if (!hasSequences(database)) return new Map();
  const rows = database
    .prepare<[], SequenceRow>(
      `SELECT name, seq FROM main.${SEQUENCE_TABLE} WHERE typeof(name) = 'text' AND typeof(seq) = 'integer'`,
    )
    .safeIntegers()
    .all();
  return new Map(rows.map(({ name, seq }) => [name, seq]));
}

/**
 * Sets each to the highest that any of the sources knows, the rows of the new database among them: no row id is given
 * a second time.
 */
export function writeSequences(database: Database.Database, sources: readonly Sequences[]): void {
  if (!hasSequences(database)) return;
  const merged = new Map<string, bigint>();
  for (const source of [...sources, sequencesOf(database)]) {
    for (const [name, highest] of source) keepHighest(merged, name, highest);
  }
  database.exec(`DELETE FROM main.${SEQUENCE_TABLE}`);
  const insert = database.prepare(`INSERT INTO main.${SEQUENCE_TABLE}(name, seq) VALUES(?, ?)`);
  for (const [name, highest] of merged) insert.run(name, highest);
}
