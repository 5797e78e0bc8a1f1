import { REAL_SERIAL_TYPE, type RecordValue, StoredText } from '../../sqlite/format/record.ts';

/** Stored values as they are handed to SQLite, so that what it stores is what was stored. */

export type Bound = null | bigint | number | Buffer;

/** @param serialType of the value; keys, of which it is not known, compare alike as either kind of number */
export function boundValue(value: RecordValue, serialType = 0): Bound {
  if (value instanceof StoredText) return value.bytes;
  if (typeof value !== 'number') return value;
  // Numbers are bound as floating-point ones, bigints as integers.
  return serialType !== REAL_SERIAL_TYPE && Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** Text is bound as a blob and cast, so that bytes that are no text in any encoding survive. */
export function placeholder(value: RecordValue): string {
  return value instanceof StoredText ? 'CAST(? AS TEXT)' : '?';
}
