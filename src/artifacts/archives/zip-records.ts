import {
  CENTRAL_BYTES,
  CENTRAL_SIGNATURE,
  DESCRIPTOR_SIGNATURE,
  dosTime,
  END_BYTES,
  END_SIGNATURE,
  END64_BYTES,
  END64_SIGNATURE,
  EXTRA_NTFS,
  EXTRA_TIMESTAMP,
  EXTRA_ZIP64,
  FLAG_DESCRIPTOR,
  FLAG_UTF8,
  HOST_UNIX,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
  LOCATOR64_BYTES,
  LOCATOR64_SIGNATURE,
  ntfsTime,
  SATURATED_16,
  SATURATED_32,
} from './zip-format.ts';

/** What is said of one entry in front of its content and again in the directory at the end. */
export interface ZipRecord {
  readonly name: Buffer;
  /** Type bits included. */
  readonly unixMode: number;
  readonly modifiedMs: number;
  readonly method: number;
  /** Sizes and checksum come after the content. */
  readonly hasDescriptor: boolean;
  /** Sizes of 64 bits in front of and after the content, decided before the compressed size is known. */
  readonly isLarge: boolean;
  readonly bytes: number;
  readonly offset: number;
  crc: number;
  compressedBytes: number;
}

const VERSION = 20;
const VERSION_ZIP64 = 45;

function extraField(id: number, data: Buffer): Buffer {
  const field = Buffer.alloc(4 + data.length);
  field.writeUInt16LE(id, 0);
  field.writeUInt16LE(data.length, 2);
  data.copy(field, 4);
  return field;
}

function numbers64(...values: number[]): Buffer {
  const data = Buffer.alloc(8 * values.length);
  for (const [index, value] of values.entries()) data.writeBigUInt64LE(BigInt(value), 8 * index);
  return data;
}

/** Seconds of Unix, where they fit into 32 bits. */
function timestampField(ms: number): Buffer {
  const seconds = Math.floor(ms / 1000);
  if (seconds !== (seconds | 0)) return Buffer.alloc(0);
  const data = Buffer.alloc(5);
  data.writeUInt8(1, 0);
  data.writeInt32LE(seconds, 1);
  return extraField(EXTRA_TIMESTAMP, data);
}

/** The same time as NTFS has it, to 100 ns: no other field of the format has fractions of a second. */
function ntfsField(ms: number): Buffer {
  const time = ntfsTime(ms);
  if (time === null) return Buffer.alloc(0);
  const data = Buffer.alloc(32);
  data.writeUInt16LE(1, 4);
  data.writeUInt16LE(24, 6);
  for (const at of [8, 16, 24]) data.writeBigUInt64LE(time, at);
  return extraField(EXTRA_NTFS, data);
}

/** The twelve fields that both headers have in the same order, from the version needed to the extra length. */
function writeShared(header: Buffer, at: number, record: ZipRecord, extra: Buffer): void {
  const { date, time } = dosTime(record.modifiedMs);
  header.writeUInt16LE(record.isLarge ? VERSION_ZIP64 : VERSION, at);
  header.writeUInt16LE(FLAG_UTF8 | (record.hasDescriptor ? FLAG_DESCRIPTOR : 0), at + 2);
  header.writeUInt16LE(record.method, at + 4);
  header.writeUInt16LE(time, at + 6);
  header.writeUInt16LE(date, at + 8);
  header.writeUInt32LE(record.crc, at + 10);
  header.writeUInt16LE(record.name.length, at + 22);
  header.writeUInt16LE(extra.length, at + 24);
}

export function localHeader(record: ZipRecord): Buffer {
  const sizes = record.isLarge ? extraField(EXTRA_ZIP64, numbers64(0, 0)) : Buffer.alloc(0);
  const extra = Buffer.concat([timestampField(record.modifiedMs), sizes]);
  const header = Buffer.alloc(LOCAL_BYTES);
  header.writeUInt32LE(LOCAL_SIGNATURE, 0);
  writeShared(header, 4, record, extra);
  const known = record.hasDescriptor ? 0 : record.compressedBytes;
  header.writeUInt32LE(record.isLarge ? SATURATED_32 : known, 18);
  header.writeUInt32LE(record.isLarge ? SATURATED_32 : record.hasDescriptor ? 0 : record.bytes, 22);
  return Buffer.concat([header, record.name, extra]);
}

export function dataDescriptor(record: ZipRecord): Buffer {
  const start = Buffer.alloc(8);
  start.writeUInt32LE(DESCRIPTOR_SIGNATURE, 0);
  start.writeUInt32LE(record.crc, 4);
  if (record.isLarge) {
    return Buffer.concat([start, numbers64(record.compressedBytes, record.bytes)]);
  }
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(record.compressedBytes, 0);
  sizes.writeUInt32LE(record.bytes, 4);
  return Buffer.concat([start, sizes]);
}

const field32 = (value: number): number => Math.min(value, SATURATED_32);

export function centralHeader(record: ZipRecord): Buffer {
  const { bytes, compressedBytes, offset, modifiedMs, name } = record;
  const large = [bytes, compressedBytes, offset].filter((value) => value >= SATURATED_32);
  const sizes = large.length === 0 ? Buffer.alloc(0) : extraField(EXTRA_ZIP64, numbers64(...large));
  const extra = Buffer.concat([timestampField(modifiedMs), ntfsField(modifiedMs), sizes]);
  const header = Buffer.alloc(CENTRAL_BYTES);
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0);
  header.writeUInt8(large.length === 0 ? VERSION : VERSION_ZIP64, 4);
  header.writeUInt8(HOST_UNIX, 5);
  writeShared(header, 6, record, extra);
  header.writeUInt32LE(field32(compressedBytes), 20);
  header.writeUInt32LE(field32(bytes), 24);
  header.writeUInt32LE((record.unixMode << 16) >>> 0, 38);
  header.writeUInt32LE(field32(offset), 42);
  return Buffer.concat([header, name, extra]);
}

/** The end of the archive, with the records of zip64 where a number needs them. */
export function endOfArchive(
  entries: number,
  directoryOffset: number,
  directoryBytes: number,
): Buffer {
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(Math.min(entries, SATURATED_16), 8);
  end.writeUInt16LE(Math.min(entries, SATURATED_16), 10);
  end.writeUInt32LE(field32(directoryBytes), 12);
  end.writeUInt32LE(field32(directoryOffset), 16);
  const isSmall =
    entries < SATURATED_16 && directoryBytes < SATURATED_32 && directoryOffset < SATURATED_32;
  if (isSmall) return end;
  const end64 = Buffer.alloc(END64_BYTES);
  end64.writeUInt32LE(END64_SIGNATURE, 0);
  end64.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4);
  end64.writeUInt8(VERSION_ZIP64, 12);
  end64.writeUInt8(HOST_UNIX, 13);
  end64.writeUInt16LE(VERSION_ZIP64, 14);
  numbers64(entries, entries, directoryBytes, directoryOffset).copy(end64, 24);
  const locator = Buffer.alloc(LOCATOR64_BYTES);
  locator.writeUInt32LE(LOCATOR64_SIGNATURE, 0);
  locator.writeBigUInt64LE(BigInt(directoryOffset + directoryBytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}
