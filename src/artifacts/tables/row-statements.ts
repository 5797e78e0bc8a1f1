import type Database from 'better-sqlite3';
import { type CellValue, RawText } from './cell-value.ts';
import { type KeyColumn, quoted, type TableForm } from './table-form.ts';

/** The SQL by which rows of one shape go into a table. */

/**
 * `insert-ignore`: rows whose key is there already are left as they are. `upsert`: they become what the file says.
 * `replace`: the table becomes what the file says.
 */
export type ImportMode = 'insert-ignore' | 'upsert' | 'replace';

/** What the n-th value of a row is: a column of the table, its row id, or nothing that is known here. */
export type Place = { readonly column: string } | 'rowid' | null;

export interface Shape {
  readonly places: readonly Place[];
  /** Positions of the values that are stored, the row id's first. */
  readonly stored: readonly number[];
  /** Positions of the values of the key; null where the row does not say all of it. */
  readonly key: readonly number[] | null;
  readonly statements: Map<string, Database.Statement>;
}

type Bound = null | bigint | number | string | Buffer;

export interface SqlContext {
  readonly form: TableForm;
  readonly mode: ImportMode;
  readonly shape: Shape;
  readonly bound: readonly CellValue[];
}

export const boundValue = (value: CellValue): Bound =>
  value instanceof RawText ? value.bytes : value;

/** Bytes that are no text are stored as text all the same. */
const parameter = (value: CellValue): string =>
  value instanceof RawText ? 'CAST(? AS TEXT)' : '?';

const nameOf = (form: TableForm, place: Place): string =>
  place === 'rowid' || place === null ? form.rowid! : quoted(place.column);

/**
 * A row id that is taken: a table without a key knows its rows by it, in any other it only says where the row lay.
 */
function rowidParameter({ name, rowid, key }: TableForm, mode: ImportMode): string {
  if (mode === 'replace' || key.length === 0) return '?';
  const taken = `SELECT 1 FROM main.${quoted(name)} WHERE ${rowid} = wanted.id`;
  return `(SELECT CASE WHEN EXISTS(${taken}) THEN NULL ELSE wanted.id END FROM (SELECT ? AS id) AS wanted)`;
}

// What the table itself would do about a conflict is overruled: nothing is ignored or replaced without being told.
export function insertSql({ form, mode, shape, bound }: SqlContext): string {
  const names = shape.stored.map((index) => nameOf(form, shape.places[index]!));
  const parameters = shape.stored.map((index) =>
    shape.places[index] === 'rowid' ? rowidParameter(form, mode) : parameter(bound[index]!),
  );
  const conflict = mode === 'insert-ignore' ? ' ON CONFLICT DO NOTHING' : '';
  const table = `main.${quoted(form.name)}`;
  return `INSERT OR ABORT INTO ${table}(${names.join(',')}) VALUES(${parameters.join(',')})${conflict}`;
}

/** The row id never changes; other parts of a key may, where their collation takes different texts for equal. */
export function changedBy(form: TableForm, { places, stored, key }: Shape): readonly number[] {
  const changed = stored.filter((index) => {
    const place = places[index]!;
    return place !== 'rowid' && place !== null && place.column !== form.rowidAlias;
  });
  return changed.length > 0 ? changed : key!.slice(0, 1);
}

export function updateSql({ form, shape, bound }: SqlContext): string {
  const set = changedBy(form, shape).map(
    (index) => `${nameOf(form, shape.places[index]!)} = ${parameter(bound[index]!)}`,
  );
  const equals = ({ name, collation }: KeyColumn, index: number): string =>
    `${quoted(name)} = ${parameter(bound[index]!)} COLLATE ${quoted(collation)}`;
  const where =
    form.key.length === 0
      ? `${form.rowid} = ?`
      : form.key.map((column, at) => equals(column, shape.key![at]!)).join(' AND ');
  return `UPDATE OR ABORT main.${quoted(form.name)} SET ${set.join(', ')} WHERE ${where}`;
}
