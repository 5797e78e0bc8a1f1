import type { TextEncoding } from '../header.ts';
import { type Decoded, faultAt } from './decoded.ts';
import { decodeVarint, type Integer, integerOf } from './varint.ts';

/** TEXT as it is stored: SQLite keeps any bytes, also such as are no text in the encoding of the database. */
export class StoredText {
  readonly bytes: Buffer;
  readonly encoding: TextEncoding;

  constructor(bytes: Buffer, encoding: TextEncoding) {
    this.bytes = bytes;
    this.encoding = encoding;
  }

  /** The text, with U+FFFD for what cannot be decoded; an odd last byte of UTF-16 is left out. */
  get text(): string {
    if (this.encoding === 'UTF-8') return this.bytes.toString('utf8');
    const whole = this.bytes.subarray(0, this.bytes.length & ~1);
    if (this.encoding === 'UTF-16le') return whole.toString('utf16le');
    return Buffer.from(whole).swap16().toString('utf16le');
  }
}

/** Integers are numbers, or bigints where a number is not exact; blobs are Buffers that share the record's bytes. */
export type RecordValue = null | Integer | Buffer | StoredText;

export interface SqliteRecord {
  readonly values: readonly RecordValue[];
  /** As stored, one for each value: 7 tells a floating-point number from an integer. */
  readonly serialTypes: readonly number[];
}

/** Serial type of a floating-point number. */
export const REAL_SERIAL_TYPE = 7;
/** More columns than any SQLite can be built for. */
const COLUMNS_MAX = 32_767;
const FIXED_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0] as const;

/**
 * A record (https://www.sqlite.org/fileformat2.html#record_format), whole: its header and values must fill the
 * payload exactly. It may have fewer values than its table has columns (those were added later).
 */
export function decodeRecord(payload: Buffer, encoding: TextEncoding): Decoded<SqliteRecord> {
  const size = decodeVarint(payload, 0, payload.length);
  if (!size.ok) return faultAt(0, 'the record is empty');
  const headerBytes = size.value;
  if (typeof headerBytes !== 'number' || headerBytes > payload.length || headerBytes < 1) {
    return faultAt(0, 'the header of the record is larger than the record');
  }
  const values: RecordValue[] = [];
  const serialTypes: number[] = [];
  let at = size.lengthBytes;
  let body = headerBytes;
  while (at < headerBytes) {
    const type = decodeVarint(payload, at, headerBytes);
    if (!type.ok) return type;
    const lengthBytes = contentBytes(type.value);
    if (lengthBytes === null) return faultAt(at, `serial type ${type.value} does not exist`);
    if (body + lengthBytes > payload.length) return faultAt(at, 'a value extends off the record');
    if (values.length === COLUMNS_MAX) return faultAt(at, 'the record has too many values');
    serialTypes.push(Number(type.value));
    values.push(decodeValue(payload, body, Number(type.value), lengthBytes, encoding));
    at += type.lengthBytes;
    body += lengthBytes;
  }
  if (at > headerBytes) return faultAt(0, 'the header of the record is cut off');
  if (body < payload.length) return faultAt(body, 'the record is longer than its values');
  return { ok: true, values, serialTypes };
}

/** Bytes of a value of the type; null for a type that does not exist. */
export function contentBytes(serialType: Integer): number | null {
  if (typeof serialType !== 'number' || serialType < 0) return null;
  if (serialType >= 12) return Math.floor((serialType - 12) / 2);
  return FIXED_BYTES[serialType] ?? null;
}

function decodeValue(
  payload: Buffer,
  offset: number,
  serialType: number,
  lengthBytes: number,
  encoding: TextEncoding,
): RecordValue {
  if (serialType >= 12) {
    const bytes = payload.subarray(offset, offset + lengthBytes);
    return serialType % 2 === 0 ? bytes : new StoredText(bytes, encoding);
  }
  if (serialType === 0) return null;
  if (serialType <= 5) return payload.readIntBE(offset, lengthBytes);
  if (serialType === 6) return integerOf(payload.readBigInt64BE(offset));
  if (serialType === REAL_SERIAL_TYPE) return realOf(payload.readDoubleBE(offset));
  return serialType - 8;
}

/** SQLite has no NaN: it reads one as NULL. */
function realOf(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
