import type Database from 'better-sqlite3';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { folded, quoted } from './table-form.ts';

interface Violation {
  readonly rowid: bigint | null;
  readonly parent: string;
  readonly fkid: bigint;
}

/** Of one table. Rows are remembered up to a bound, beyond it only their number. */
interface Violations {
  /** False where SQLite cannot check the keys of the table: they point to no key, or need a collation. */
  readonly checkable: boolean;
  readonly rows: ReadonlySet<string>;
  readonly count: number;
}

const ROWS_REMEMBERED_MAX = 100_000;

function violationsOf(database: Database.Database, table: string): Violations {
  const rows = new Set<string>();
  let count = 0;
  try {
    const found = database
      .prepare<[], Violation>(`PRAGMA main.foreign_key_check(${quoted(table)})`)
      .safeIntegers()
      .iterate();
    for (const { rowid, parent, fkid } of found) {
      count += 1;
      if (rowid !== null && rows.size < ROWS_REMEMBERED_MAX) rows.add(`${fkid} ${rowid} ${parent}`);
    }
    return { checkable: true, rows, count };
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_ERROR') !== true) throw error;
    return { checkable: false, rows, count };
  }
}

function isWorse(before: Violations, after: Violations): boolean {
  if (before.checkable !== after.checkable) return !after.checkable;
  if (after.count > before.count) return true;
  const known = before.count <= ROWS_REMEMBERED_MAX;
  return known && [...after.rows].some((row) => !before.rows.has(row));
}

/** Rows that point to rows that are not there: those that an import made, told from those that were there before. */
export class ForeignKeys {
  readonly #database: Database.Database;
  readonly #before = new Map<string, Violations>();
  /** By table, folded: the tables whose rows point to it, and itself. */
  readonly #pointing = new Map<string, Set<string>>();

  constructor(database: Database.Database) {
    this.#database = database;
    const keys = database
      .prepare<[], { child: string; parent: string }>(
        `SELECT m.name AS child, k."table" AS parent
         FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS k
         WHERE m.type = 'table'`,
      )
      .all();
    for (const { child, parent } of keys) {
      for (const table of [child, parent]) {
        const pointing = this.#pointing.get(folded(table)) ?? new Set();
        this.#pointing.set(folded(table), pointing.add(child));
      }
    }
  }

  /** Before the first change of a table. */
  remember(table: string): void {
    for (const child of this.#pointing.get(folded(table)) ?? []) {
      if (!this.#before.has(child)) this.#before.set(child, violationsOf(this.#database, child));
    }
  }

  /** @throws VERIFY_FAILED when a row points to nothing that did not before */
  requireNoneWorse(): void {
    for (const [table, before] of this.#before) {
      if (!isWorse(before, violationsOf(this.#database, table))) continue;
      const state = 'rows would point to rows that are not there';
      throw cannot('VERIFY_FAILED', 'import into table', table, state, {
        hint: 'Nothing was imported. Import the tables that it refers to in the same file, or leave out those rows.',
      });
    }
  }
}
