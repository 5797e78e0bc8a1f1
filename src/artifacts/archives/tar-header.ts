import { damaged } from './archive-refusal.ts';

/** The 512 bytes in front of every entry of a tar archive. Offsets and lengths as in POSIX ustar. */
export const TAR_BLOCK_BYTES = 512;

export interface TarHeader {
  /** Undecoded: a pax header may replace it. */
  readonly name: Uint8Array;
  readonly linkName: Uint8Array;
  readonly type: string;
  readonly mode: number;
  readonly bytes: number;
  readonly modifiedSeconds: number;
}

const OCTAL = /^ *([0-7]*)[ \0]*$/;
const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;
/** The most that eleven octal digits hold. */
export const TAR_OCTAL_MAX = 8 ** 11 - 1;

function textField(block: Buffer, at: number, bytes: number): Uint8Array {
  const field = block.subarray(at, at + bytes);
  const end = field.indexOf(0);
  // A copy: the block is a window of a larger piece that is used again.
  return Uint8Array.prototype.slice.call(end === -1 ? field : field.subarray(0, end));
}

/** GNU tar writes numbers that octal digits cannot hold in base 256, the highest bit set. */
function base256(field: Buffer): bigint {
  const bits = BigInt(field.length * 8 - 1);
  let value = 0n;
  for (const byte of field) value = (value << 8n) | BigInt(byte);
  value &= (1n << bits) - 1n;
  return value >> (bits - 1n) === 0n ? value : value - (1n << bits);
}

function numberField(block: Buffer, at: number, bytes: number, archive: string): number {
  const field = block.subarray(at, at + bytes);
  if ((field[0]! & 0x80) !== 0) {
    const value = Number(base256(field));
    if (!Number.isSafeInteger(value)) throw damaged(archive, 'a header holds an impossible number');
    return value;
  }
  const digits = OCTAL.exec(field.toString('latin1'));
  if (digits === null) throw damaged(archive, 'a header holds a number that is none');
  return digits[1] === '' ? 0 : Number.parseInt(digits[1]!, 8);
}

/** The sum of all bytes, its own field taken as spaces. Some old tools summed signed bytes. */
export function hasTarChecksum(block: Buffer): boolean {
  const digits = OCTAL.exec(block.toString('latin1', CHECKSUM_AT, CHECKSUM_END));
  if (digits === null || digits[1] === '') return false;
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < TAR_BLOCK_BYTES; at += 1) {
    const byte = at >= CHECKSUM_AT && at < CHECKSUM_END ? 0x20 : block[at]!;
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const sum = Number.parseInt(digits[1]!, 8);
  return sum === unsigned || sum === signed;
}

/** @throws VERIFY_FAILED */
export function decodeTarHeader(block: Buffer, archive: string): TarHeader {
  if (!hasTarChecksum(block)) throw damaged(archive, 'the checksum of a header is wrong');
  const bytes = numberField(block, 124, 12, archive);
  if (bytes < 0) throw damaged(archive, 'a header holds a negative size');
  const name = textField(block, 0, 100);
  // GNU tar, whose magic ends in spaces, has other things where POSIX has the prefix.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? textField(block, 345, 155) : new Uint8Array();
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    linkName: textField(block, 157, 100),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156]!),
    mode: numberField(block, 100, 8, archive),
    bytes,
    modifiedSeconds: numberField(block, 136, 12, archive),
  };
}

/** What does not fit is for a pax header to say. */
export interface TarHeaderFields {
  readonly name: string;
  readonly linkName: string;
  readonly type: string;
  readonly mode: number;
  readonly bytes: number;
  readonly modifiedSeconds: number;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');

/** Owner 0 and no names: archives of the same tree are the same bytes wherever they are made. */
export function encodeTarHeader(fields: TarHeaderFields): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  const within = (value: number): number => Math.min(Math.max(value, 0), TAR_OCTAL_MAX);
  block.write(fields.name, 0, 100);
  block.write(octal(fields.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(within(fields.bytes), 11), 124);
  block.write(octal(within(fields.modifiedSeconds), 11), 136);
  block.write(fields.type, 156);
  block.write(fields.linkName, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, CHECKSUM_AT, CHECKSUM_END);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 6)}\0 `, CHECKSUM_AT, 'latin1');
  return block;
}
