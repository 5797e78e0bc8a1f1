import { type RecordValue, type SqliteRecord, StoredText } from '../../sqlite/format/record.ts';
import type { TableShape } from './table-shape.ts';

const isNumber = (value: RecordValue): boolean =>
  typeof value === 'number' || typeof value === 'bigint';

/**
 * Why no row of this table can have such a record, or null. A page that hangs in the wrong tree holds records that read
 * well: taken over, they would be rows that never were.
 */
export function misfitOf(shape: TableShape, { values }: SqliteRecord): string | null {
  const { stored, rowidAlias } = shape;
  if (values.length > stored.length) return `${values.length} values for ${stored.length} columns`;
  for (const [index, column] of stored.entries()) {
    if (index >= values.length) {
      if (!column.mayBeAbsent) return `no value for ${column.name}`;
      continue;
    }
    const value = values[index]!;
    if (index === rowidAlias) {
      if (value !== null) return 'a value stands where the row id is kept';
    } else if (column.textOnly && isNumber(value)) return `a number in ${column.name}`;
  }
  return null;
}

const CHARACTERS_MAX = 200;

/** A value for people to read, cut to a bounded length. */
export function describeValue(value: RecordValue): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof StoredText) {
    return new StoredText(value.bytes.subarray(0, CHARACTERS_MAX), value.encoding).text;
  }
  if (Buffer.isBuffer(value)) {
    return { blob: value.subarray(0, CHARACTERS_MAX).toString('hex'), bytes: value.length };
  }
  return value;
}
