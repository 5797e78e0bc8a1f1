/** One value of a row, in the storage class that SQLite keeps it in. */

/** Text whose bytes are no well-formed text, in the encoding of its database: it is carried as the bytes it is. */
export class RawText {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** A bigint is an INTEGER, a number a REAL, a Buffer a BLOB. */
export type CellValue = null | bigint | number | string | Buffer | RawText;

export const INTEGER_MIN = -(2n ** 63n);
export const INTEGER_MAX = 2n ** 63n - 1n;
// Every JSON reader holds the integers in between exactly.
const PLAIN_MAX = BigInt(Number.MAX_SAFE_INTEGER);

function realAsJson(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) {
    return `{"$r":"${Object.is(value, -0) ? '-0' : value}"}`;
  }
  return String(value);
}

/** A value as JSON that loses nothing: what JSON has no form for is an object with one member that says what it is. */
export function valueAsJson(value: CellValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') {
    return value >= -PLAIN_MAX && value <= PLAIN_MAX ? `${value}` : `{"$i":"${value}"}`;
  }
  if (value === null) return 'null';
  if (typeof value === 'number') return realAsJson(value);
  if (value instanceof RawText) return `{"$t":"${value.bytes.toString('base64')}"}`;
  return `{"$b":"${value.toString('base64')}"}`;
}
