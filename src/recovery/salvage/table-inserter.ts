import type Database from 'better-sqlite3';
import { systemCode } from '../../kernel/errors.ts';
import type { SqliteRecord } from '../../sqlite/format/record.ts';
import { type Bound, boundValue, placeholder } from './bound-values.ts';
import { quoted } from './quoted.ts';
import type { TableShape } from './table-shape.ts';

/** Puts decoded records into a table of the new database, value for value as they were stored. */

/** Refused where its key is taken, or another constraint forbids it. */
export type Insertion =
  | { readonly inserted: true }
  | { readonly inserted: false; readonly keyTaken: boolean; readonly reason: string };

const INSERTED: Insertion = { inserted: true };
const KEY_CODES: ReadonlySet<string> = new Set([
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_ROWID',
]);
const STATEMENTS_MAX = 64;

export class TableInserter {
  readonly #database: Database.Database;
  readonly #shape: TableShape;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(database: Database.Database, shape: TableShape) {
    this.#database = database;
    this.#shape = shape;
  }

  /**
   * @param rowid null for a WITHOUT ROWID table
   * @param record one that fits the table (`misfitOf`)
   */
  insert(rowid: number | bigint | null, record: SqliteRecord): Insertion {
    const columns: string[] = [];
    const places: string[] = [];
    const bound: Bound[] = [];
    if (rowid !== null && this.#shape.rowid !== null) {
      columns.push(this.#shape.rowid);
      places.push('?');
      bound.push(BigInt(rowid));
    }
    for (const [index, value] of record.values.entries()) {
      const column = this.#shape.stored[index]!;
      // A generated column follows from the others; the alias of the row id is stored as NULL.
      if (column.generated || index === this.#shape.rowidAlias) continue;
      columns.push(quoted(column.name));
      places.push(placeholder(value));
      bound.push(boundValue(value, record.serialTypes[index]!));
    }
    return this.#run(columns, places, bound);
  }

  /** Columns that a record does not have were added after it was written: they take their defaults. */
  #run(columns: readonly string[], places: readonly string[], bound: readonly Bound[]): Insertion {
    const shape = columns.length === 0 ? 'DEFAULT VALUES' : `VALUES(${places.join(',')})`;
    const names = columns.length === 0 ? '' : `(${columns.join(',')})`;
    const table = `main.${quoted(this.#shape.name)}`;
    const statement = this.#prepare(`INSERT OR ABORT INTO ${table}${names} ${shape}`);
    try {
      statement.run(...bound);
      return INSERTED;
    } catch (error) {
      const code = systemCode(error);
      if (code?.startsWith('SQLITE_CONSTRAINT') !== true) throw error;
      const keyTaken = KEY_CODES.has(code);
      return { inserted: false, keyTaken, reason: (error as Error).message };
    }
  }

  #prepare(sql: string): Database.Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
