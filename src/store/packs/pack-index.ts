import { type FileHandle, open } from 'node:fs/promises';
import { PACK_BYTES_MAX } from '../format/bounds.ts';
import {
  decodePackIndex,
  decodePackTrailer,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  type PackEntry,
  type PackOwner,
} from '../format/pack-layout.ts';
import {
  decodeRecordHeader,
  findRecordMagic,
  RECORD_HEADER_BYTES,
  type RecordFields,
} from '../format/record.ts';

/** The index of a pack held in memory, or null where header, footer or trailer are damaged. */
export function packIndexOf(owner: PackOwner, pack: Buffer): PackEntry[] | null {
  if (pack.length < PACK_HEADER_BYTES + PACK_TRAILER_BYTES) return null;
  const trailer = pack.subarray(pack.length - PACK_TRAILER_BYTES);
  const end = decodePackTrailer(trailer, pack.length);
  if (end === null) return null;
  const footer = pack.subarray(end.footerOffset, end.footerOffset + end.footerBytes);
  return decodePackIndex(owner, pack.subarray(0, PACK_HEADER_BYTES), footer, trailer, end);
}

/** The index of a pack file, without reading its records; null where it is damaged. */
export async function readPackIndex(
  owner: PackOwner,
  path: string,
): Promise<{ entries: PackEntry[] | null; bytes: number }> {
  const handle = await open(path, 'r');
  try {
    const bytes = (await handle.stat()).size;
    const sound = bytes >= PACK_HEADER_BYTES + PACK_TRAILER_BYTES && bytes <= PACK_BYTES_MAX;
    if (!sound) return { entries: null, bytes };
    const trailer = await readAt(handle, bytes - PACK_TRAILER_BYTES, PACK_TRAILER_BYTES);
    const end = trailer === null ? null : decodePackTrailer(trailer, bytes);
    if (trailer === null || end === null) return { entries: null, bytes };
    const header = await readAt(handle, 0, PACK_HEADER_BYTES);
    const footer = await readAt(handle, end.footerOffset, end.footerBytes);
    if (header === null || footer === null) return { entries: null, bytes };
    return { entries: decodePackIndex(owner, header, footer, trailer, end), bytes };
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Buffer | null> {
  const buffer = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
  return bytesRead === bytes ? buffer : null;
}

/** Every record of a torn pack whose header is sound and whose stored bytes are all there. */
export function scanPack(pack: Buffer): { fields: RecordFields; stored: Buffer }[] {
  const records: { fields: RecordFields; stored: Buffer }[] = [];
  let at = findRecordMagic(pack, 0);
  while (at !== -1) {
    const fields = decodeRecordHeader(pack, at);
    const begin = at + RECORD_HEADER_BYTES;
    if (fields === null || begin + fields.storedBytes > pack.length) {
      at = findRecordMagic(pack, at + 1);
      continue;
    }
    const end = begin + fields.storedBytes;
    records.push({ fields, stored: pack.subarray(begin, end) });
    at = findRecordMagic(pack, end);
  }
  return records;
}
