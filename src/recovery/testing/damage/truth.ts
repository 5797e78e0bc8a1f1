import Database from 'better-sqlite3';

/** Every row, as one comparable string, by table and key. */
export type Rows = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** How a table's rows are named: the content of full-text search stands in an ordinary table. */
const TABLES: Readonly<Record<string, string>> = {
  notes: 'id',
  settings: 'key',
  files: 'id',
  log: 'rowid',
  search_content: 'id',
};

export const TABLE_NAMES = Object.keys(TABLES);

function textOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return `i${value}`;
  if (typeof value === 'number') return `r${value}`;
  if (typeof value === 'string') return `t${JSON.stringify(value)}`;
  return `b${(value as Buffer).toString('base64')}`;
}

/** As far as it can be read without an index; empty where nothing can. */
function readTable(database: Database.Database, table: string): Map<string, string> {
  const rows = new Map<string, string>();
  try {
    const sql = `SELECT ${TABLES[table]} AS "the key", * FROM ${table} NOT INDEXED`;
    const reading = database.prepare<[], unknown[]>(sql).raw().safeIntegers().iterate();
    for (const [key, ...values] of reading) {
      rows.set(textOf(key), values.map(textOf).join(' '));
    }
  } catch {
    // Damage ends the reading; what came before it counts.
  }
  return rows;
}

/** All rows of a private copy. */
export function readRows(path: string): Rows {
  let database: Database.Database | null = null;
  try {
    database = new Database(path, { fileMustExist: true });
    const open = database;
    return new Map(TABLE_NAMES.map((table) => [table, readTable(open, table)]));
  } catch {
    return new Map();
  } finally {
    database?.close();
  }
}

/** What was written, when. */
export class Truth {
  /** As of the moment before the damage. */
  readonly rows: Rows;
  /** As the snapshot has them. */
  readonly snapshot: Rows;
  readonly #past: readonly Rows[];

  /** @param past states that together hold every row there ever was */
  constructor(rows: Rows, snapshot: Rows, past: readonly Rows[]) {
    this.rows = rows;
    this.snapshot = snapshot;
    this.#past = [rows, snapshot, ...past];
  }

  everWas(table: string, key: string, row: string): boolean {
    return this.#past.some((state) => state.get(table)?.get(key) === row);
  }
}

export interface Verdict {
  /** Rows that are not exactly right: missing, of an older state, or altered. */
  readonly wrong: number;
  /** Rows that had been deleted, and are there again. */
  readonly resurrected: number;
  /** Rows that equal nothing that ever was, and that SQLite does not show in the damaged files either. */
  readonly fabricated: number;
  /** Rows that equal nothing that ever was, as SQLite shows them in the damaged files. */
  readonly altered: number;
}

/** @param shown what SQLite shows of the damaged files, with their sidecars and without */
export function judge(result: Rows, truth: Truth, shown: readonly Rows[]): Verdict {
  const verdict = { wrong: 0, resurrected: 0, fabricated: 0, altered: 0 };
  for (const table of TABLE_NAMES) {
    const found = result.get(table) ?? new Map<string, string>();
    const right = truth.rows.get(table)!;
    for (const [key, row] of right) if (found.get(key) !== row) verdict.wrong += 1;
    for (const [key, row] of found) {
      if (truth.everWas(table, key, row)) {
        if (!right.has(key)) verdict.resurrected += 1;
      } else if (shown.some((rows) => rows.get(table)?.get(key) === row)) verdict.altered += 1;
      else verdict.fabricated += 1;
    }
  }
  return verdict;
}
