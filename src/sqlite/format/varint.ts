import { type Decoded, faultAt } from './decoded.ts';

/** An integer of up to 64 bits: a bigint only where a number would not hold it exactly, so `===` compares. */
export type Integer = number | bigint;

export interface Varint {
  /** Signed, two's complement, as rowids are. */
  readonly value: Integer;
  /** 1 to 9. */
  readonly lengthBytes: number;
}

const CONTINUES = 0x80;
const LENGTH_BYTES_MAX = 9;

/** A number where it is exact, else the bigint. */
export function integerOf(value: bigint): Integer {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Numbers and bigints compare exactly with each other. */
export function compareIntegers(left: Integer, right: Integer): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The variable-length integer at `offset`; it must end before `end`. */
export function decodeVarint(bytes: Buffer, offset: number, end: number): Decoded<Varint> {
  const limit = Math.min(end, bytes.length);
  let value = 0;
  // Seven bytes of seven bits stay within the 53 bits of a number.
  for (let index = 0; index < 7; index++) {
    if (offset < 0 || offset + index >= limit) return faultAt(offset, 'an integer is cut off');
    const byte = bytes[offset + index]!;
    value = value * 128 + (byte & 0x7f);
    if (byte < CONTINUES) return { ok: true, value, lengthBytes: index + 1 };
  }
  return decodeLongVarint(bytes, offset, limit, BigInt(value));
}

function decodeLongVarint(
  bytes: Buffer,
  offset: number,
  limit: number,
  first: bigint,
): Decoded<Varint> {
  if (offset + 7 >= limit) return faultAt(offset, 'an integer is cut off');
  const eighth = bytes[offset + 7]!;
  const value = (first << 7n) | BigInt(eighth & 0x7f);
  if (eighth < CONTINUES) return { ok: true, value: integerOf(value), lengthBytes: 8 };
  if (offset + 8 >= limit) return faultAt(offset, 'an integer is cut off');
  // The ninth byte gives all of its eight bits.
  const all = BigInt.asIntN(64, (value << 8n) | BigInt(bytes[offset + 8]!));
  return { ok: true, value: integerOf(all), lengthBytes: LENGTH_BYTES_MAX };
}
