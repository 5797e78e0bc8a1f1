import { type CellValue, INTEGER_MAX, INTEGER_MIN, RawText } from './cell-value.ts';
import { RowProblem } from './row-problem.ts';

/** Values out of the texts that stand for them. @throws RowProblem rather than to round or to leave anything out */

const INTEGER_DIGITS_MAX = 19;
// Every integer of so few digits is exact as a floating-point number.
const EXACT_DIGITS = 15;
const MARKED_INTEGER = /^-?(?:0|[1-9][0-9]{0,18})$/;
const MARKED_REAL = /^-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?$/;
const NOT_BASE64 = /[^A-Za-z0-9+/=]/;

export function integerOf(digits: string): bigint {
  const length = digits.startsWith('-') ? digits.length - 1 : digits.length;
  if (length <= EXACT_DIGITS) return BigInt(Number(digits));
  // Digits without end would be turned into a number before it is seen that it is too large.
  const value = length <= INTEGER_DIGITS_MAX ? BigInt(digits) : null;
  if (value === null || value < INTEGER_MIN || value > INTEGER_MAX) {
    throw new RowProblem('an integer does not fit into 64 bits');
  }
  return value;
}

export function realOf(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new RowProblem('a number is larger than any that can be kept');
  return value;
}

function bytesOf(base64: string): Buffer {
  const padding = base64.endsWith('==') ? 2 : Number(base64.endsWith('='));
  const bytes = Buffer.from(base64, 'base64');
  const expected = (base64.length / 4) * 3 - padding;
  if (NOT_BASE64.test(base64) || bytes.length !== expected) {
    throw new RowProblem('what should be base64 is not');
  }
  return bytes;
}

function markedReal(text: string): number {
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  if (text === '-Infinity') return Number.NEGATIVE_INFINITY;
  if (!MARKED_REAL.test(text)) throw new RowProblem('what "$r" marks is no number');
  return realOf(text);
}

function markedInteger(text: string): bigint {
  if (!MARKED_INTEGER.test(text)) throw new RowProblem('what "$i" marks is no 64-bit integer');
  return integerOf(text);
}

/** What a marker, such as `$i`, makes of a text. */
export function markedValue(marker: string, text: string): CellValue {
  switch (marker) {
    case '$i':
      return markedInteger(text);
    case '$r':
      return markedReal(text);
    case '$b':
      return bytesOf(text);
    case '$t':
      return new RawText(bytesOf(text));
    default:
      throw new RowProblem('a value is an object that is no marked value');
  }
}
