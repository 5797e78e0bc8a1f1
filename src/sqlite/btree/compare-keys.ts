import { type RecordValue, StoredText } from '../format/record.ts';
import { compareIntegers, type Integer } from '../format/varint.ts';
import { textAsUtf8 } from './text-as-utf8.ts';
import type { IndexKey } from './walk-events.ts';

/** One column of the key of an index or WITHOUT ROWID table, in the order of the key. */
export interface KeyColumn {
  /** As `PRAGMA index_xinfo` names it. */
  readonly collation: string;
  /** Databases of a schema format below 4 store every column in ascending order, whatever their SQL says. */
  readonly descending: boolean;
}

type CompareText = (left: StoredText, right: StoredText) => number;

const COLLATIONS: Readonly<Record<string, CompareText>> = {
  BINARY: (left, right) => Buffer.compare(left.bytes, right.bytes),
  NOCASE: compareWithoutCase,
  RTRIM: (left, right) => Buffer.compare(trimmed(left), trimmed(right)),
};

/**
 * The order of an index. A regular index ends with the rowid: it is a column of the key, too.
 * @returns null when a collation is the application's own: nobody else knows its order
 */
export function compareKeys(
  columns: readonly KeyColumn[],
): ((left: IndexKey, right: IndexKey) => number) | null {
  const parts: { compareText: CompareText; sign: number }[] = [];
  for (const { collation, descending } of columns) {
    const compareText = COLLATIONS[collation.toUpperCase()];
    if (compareText === undefined) return null;
    parts.push({ compareText, sign: descending ? -1 : 1 });
  }
  return (left, right) => {
    for (const [index, { compareText, sign }] of parts.entries()) {
      const order = compareValues(left[index] ?? null, right[index] ?? null, compareText);
      if (order !== 0) return order * sign;
    }
    return 0;
  };
}

/** NULL, then numbers, then text, then blobs. */
function compareValues(left: RecordValue, right: RecordValue, compareText: CompareText): number {
  const rank = rankOf(left) - rankOf(right);
  if (rank !== 0 || left === null || right === null) return rank;
  if (left instanceof StoredText) return compareText(left, right as StoredText);
  if (Buffer.isBuffer(left)) return Buffer.compare(left, right as Buffer);
  return compareIntegers(left, right as Integer);
}

function rankOf(value: RecordValue): number {
  if (value === null) return 0;
  if (Buffer.isBuffer(value)) return 3;
  return value instanceof StoredText ? 2 : 1;
}

function trimmed(text: StoredText): Buffer {
  const bytes = textAsUtf8(text);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0x20) end -= 1;
  return bytes.subarray(0, end);
}

/** Only ASCII letters fold; the comparison ends at a NUL, then lengths decide. */
function compareWithoutCase(left: StoredText, right: StoredText): number {
  const leftBytes = textAsUtf8(left);
  const rightBytes = textAsUtf8(right);
  const shared = Math.min(leftBytes.length, rightBytes.length);
  for (let index = 0; index < shared; index++) {
    const order = folded(leftBytes[index]!) - folded(rightBytes[index]!);
    if (order !== 0) return order;
    if (leftBytes[index] === 0) break;
  }
  return leftBytes.length - rightBytes.length;
}

function folded(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
