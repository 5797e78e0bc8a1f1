import { crc32 } from 'node:zlib';
import { damaged } from './archive-refusal.ts';
import { number64 } from './zip-end.ts';
import {
  EXTRA_NTFS,
  EXTRA_TIMESTAMP,
  EXTRA_UNICODE_PATH,
  EXTRA_ZIP64,
  msOfDosTime,
  msOfNtfsTime,
  SATURATED_32,
} from './zip-format.ts';

/** Extra fields of a zip header: id → data, the first of each id. @throws VERIFY_FAILED */
export function parseExtraFields(extra: Buffer, archive: string): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  // Some tools pad with up to three bytes, which are too few for a field.
  for (let at = 0; at + 4 <= extra.length; ) {
    const id = extra.readUInt16LE(at);
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) throw damaged(archive, 'an extra field is longer than its header');
    if (!fields.has(id)) fields.set(id, extra.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/**
 * Fields of 32 bits, those that are saturated replaced from the zip64 field, which has only these and in this order.
 * @throws VERIFY_FAILED
 */
export function wideFields(
  values: readonly number[],
  fields: ReadonlyMap<number, Buffer>,
  archive: string,
): number[] {
  const zip64 = fields.get(EXTRA_ZIP64);
  let at = 0;
  return values.map((value) => {
    if (value !== SATURATED_32 || zip64 === undefined) return value;
    if (at + 8 > zip64.length) throw damaged(archive, 'a zip64 field is too short');
    at += 8;
    return number64(zip64, at - 8);
  });
}

/** Info-ZIP's UTF-8 name, which counts as long as it belongs to the name beside it. */
export function unicodeName(name: Buffer, fields: ReadonlyMap<number, Buffer>): Buffer | null {
  const data = fields.get(EXTRA_UNICODE_PATH);
  if (data === undefined || data.length < 6 || data[0] !== 1) return null;
  return data.readUInt32LE(1) === crc32(name) ? data.subarray(5) : null;
}

/** The exactest time there is: NTFS, then Unix, then the two second steps of DOS, taken as UTC. */
export function modifiedMsOf(
  fields: ReadonlyMap<number, Buffer>,
  date: number,
  time: number,
): number {
  const ntfs = fields.get(EXTRA_NTFS);
  if (ntfs?.length === 32 && ntfs.readUInt16LE(4) === 1 && ntfs.readUInt16LE(6) === 24) {
    const ms = msOfNtfsTime(ntfs.readBigInt64LE(8));
    if (Math.abs(ms) <= 8.64e15) return ms;
  }
  const timestamp = fields.get(EXTRA_TIMESTAMP);
  if (timestamp !== undefined && timestamp.length >= 5 && (timestamp[0]! & 1) === 1) {
    return timestamp.readInt32LE(1) * 1000;
  }
  return msOfDosTime(date, time);
}
