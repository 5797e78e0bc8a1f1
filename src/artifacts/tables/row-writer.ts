import type Database from 'better-sqlite3';
import type { TextEncoding } from '../../sqlite/header.ts';
import { type CellValue, RawText } from './cell-value.ts';
import { ROWID_COLUMN } from './read-rows.ts';
import { RowProblem } from './row-problem.ts';
import {
  boundValue,
  changedBy,
  type ImportMode,
  insertSql,
  type Place,
  type Shape,
  type SqlContext,
  updateSql,
} from './row-statements.ts';
import { folded, quoted, type TableForm } from './table-form.ts';
import { boundText } from './text-encoding.ts';

/** Puts rows into one table, by the rules of a mode. */

export type RowOutcome = 'inserted' | 'updated' | 'ignored';

const SHAPES_MAX = 64;
const STATEMENTS_MAX = 64;

export interface RowWriterOptions {
  readonly mode: ImportMode;
  readonly encoding: TextEncoding;
  /** Told once of each column that the table does not have. */
  readonly onUnknown: (column: string) => void;
}

export class RowWriter {
  readonly #database: Database.Database;
  readonly #form: TableForm;
  readonly #options: RowWriterOptions;
  readonly #columns: ReadonlyMap<string, string>;
  readonly #generated: ReadonlySet<string>;
  readonly #shapes = new Map<string, Shape>();

  constructor(database: Database.Database, form: TableForm, options: RowWriterOptions) {
    this.#database = database;
    this.#form = form;
    this.#options = options;
    const written = form.columns.filter(({ generated }) => !generated);
    const computed = form.columns.filter(({ generated }) => generated);
    this.#columns = new Map(written.map(({ name }) => [folded(name), name]));
    this.#generated = new Set(computed.map(({ name }) => folded(name)));
  }

  /**
   * How rows with these names of values are written.
   * @param rowid position of the value that is the row id; without it a value of that name is one, unless a column is
   * @throws RowProblem when two values are of one column
   */
  shape(names: readonly string[], rowid: number | null = null): Shape {
    const id = `${rowid}\n${names.map((name) => JSON.stringify(name)).join()}`;
    const known = this.#shapes.get(id);
    if (known !== undefined) return known;
    if (this.#shapes.size >= SHAPES_MAX) this.#shapes.clear();
    const shape = this.#newShape(names, rowid);
    this.#shapes.set(id, shape);
    return shape;
  }

  #newShape(names: readonly string[], rowid: number | null): Shape {
    const places = names.map((name, index) => this.#placeOf(name, index === rowid));
    const taken = new Set<string>();
    for (const place of places) {
      if (place === null) continue;
      const name = place === 'rowid' ? ROWID_COLUMN : quoted(place.column);
      if (taken.has(name)) throw new RowProblem(`two values are of the column ${name}`);
      taken.add(name);
    }
    const all = places.map((_place, index) => index);
    const rowids = all.filter((index) => places[index] === 'rowid');
    const columns = all.filter((index) => places[index] !== 'rowid' && places[index] !== null);
    const stored = [...rowids, ...columns];
    return { places, stored, key: this.#keyOf(places, rowids), statements: new Map() };
  }

  #placeOf(name: string, isRowid: boolean): Place {
    const column = this.#columns.get(folded(name));
    if (!isRowid && column !== undefined) return { column };
    if (isRowid || name === ROWID_COLUMN) {
      // Where a column is the row id, or nothing can name it, it is not the row's to say.
      return this.#form.rowid !== null && this.#form.rowidAlias === null ? 'rowid' : null;
    }
    if (!this.#generated.has(folded(name))) this.#options.onUnknown(name);
    return null;
  }

  #keyOf(places: readonly Place[], rowids: readonly number[]): readonly number[] | null {
    const { key } = this.#form;
    if (key.length === 0) return rowids.length === 0 ? null : rowids;
    const positions = key.map(({ name }) =>
      places.findIndex((place) => place !== null && place !== 'rowid' && place.column === name),
    );
    return positions.includes(-1) ? null : positions;
  }

  /** @throws RowProblem; what SQLite throws where a constraint forbids the row */
  write(shape: Shape, values: readonly CellValue[]): RowOutcome {
    if (shape.stored.length === 0) return 'ignored';
    const bound = this.#bind(shape, values);
    if (this.#options.mode === 'upsert' && this.#update(shape, bound)) return 'updated';
    const parameters = shape.stored.map((index) => boundValue(bound[index]!));
    const insert = this.#statement(shape, bound, 'insert', insertSql);
    return insert.run(...parameters).changes > 0 ? 'inserted' : 'ignored';
  }

  #bind({ places }: Shape, values: readonly CellValue[]): CellValue[] {
    const { encoding } = this.#options;
    return values.map((value, index) => {
      const isId = places[index] === 'rowid';
      if (isId && value !== null && typeof value !== 'bigint') {
        throw new RowProblem(`its "${ROWID_COLUMN}" is no integer`);
      }
      return typeof value === 'string' ? boundText(value, encoding) : value;
    });
  }

  /** @returns false when there is no such row yet */
  #update(shape: Shape, bound: readonly CellValue[]): boolean {
    const { key } = shape;
    if (key === null) {
      const missing = this.#form.key.length === 0 ? ROWID_COLUMN : 'whole primary key';
      throw new RowProblem(`it does not say its ${missing}, by which rows are updated`);
    }
    if (key.some((index) => bound[index] === null)) {
      throw new RowProblem('its key is null, and tells it from no other row');
    }
    const parameters = [...changedBy(this.#form, shape), ...key].map((index) =>
      boundValue(bound[index]!),
    );
    const update = this.#statement(shape, bound, 'update', updateSql);
    return update.run(...parameters).changes > 0;
  }

  #statement(
    shape: Shape,
    bound: readonly CellValue[],
    verb: string,
    sqlFor: (context: SqlContext) => string,
  ): Database.Statement {
    let id = verb;
    for (let index = 0; index < bound.length; index += 1) {
      if (bound[index] instanceof RawText) id += ` ${index}`;
    }
    const known = shape.statements.get(id);
    if (known !== undefined) return known;
    if (shape.statements.size >= STATEMENTS_MAX) shape.statements.clear();
    const { mode } = this.#options;
    const sql = sqlFor({ form: this.#form, mode, shape, bound });
    const statement = this.#database.prepare(sql);
    shape.statements.set(id, statement);
    return statement;
  }
}
