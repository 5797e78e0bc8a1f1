import { createHash, createHmac } from 'node:crypto';
import { FORMAT, PACK_BYTES_MAX } from './bounds.ts';
import {
  RECORD_FIELDS_BYTES,
  RECORD_HEADER_BYTES,
  type RecordFields,
  readRecordFields,
  writeRecordFields,
} from './record.ts';

/** Header, footer and trailer of a pack (docs/format.md, Packs). */

export interface PackEntry extends RecordFields {
  /** Of the record's header, from the start of the pack. */
  readonly offset: number;
}

/** The stored bytes of an entry's record, of a pack in memory. */
export function storedOf(pack: Buffer, { offset, storedBytes }: PackEntry): Buffer {
  const begin = offset + RECORD_HEADER_BYTES;
  return pack.subarray(begin, begin + storedBytes);
}

/** Whose packs they are. */
export interface PackOwner {
  readonly repositoryId: string;
  /** Makes index and repository authentic; null where the repository is not encrypted. */
  readonly packKey: Uint8Array | null;
}

export interface PackTrailer {
  readonly footerOffset: number;
  readonly footerBytes: number;
  readonly count: number;
  readonly checksum: Buffer;
}

export const PACK_HEADER_BYTES = 32;
export const PACK_TRAILER_BYTES = 64;
const FOOTER_ENTRY_BYTES = RECORD_FIELDS_BYTES + 4;
const FLAG_ENCRYPTED = 1;
const HEADER_MAGIC = Buffer.from('HFPACK\r\n', 'latin1');
const FOOTER_MAGIC = Buffer.from('HFix', 'latin1');
const TRAILER_MAGIC = Buffer.from('HFPKEND\n', 'latin1');

export function encodePackHeader({ repositoryId, packKey }: PackOwner): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES);
  HEADER_MAGIC.copy(header, 0);
  header.writeUInt16LE(FORMAT, 8);
  header.writeUInt16LE(packKey === null ? 0 : FLAG_ENCRYPTED, 10);
  header.write(repositoryId.replaceAll('-', ''), 16, 'hex');
  return header;
}

/** Whose pack a header says that it is; null where it is none. */
export function decodePackHeader(
  header: Buffer,
): { readonly repositoryId: string; readonly isEncrypted: boolean } | null {
  const hex = header.toString('hex', 16, PACK_HEADER_BYTES);
  const repositoryId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const isEncrypted = (header.readUInt16LE(10) & FLAG_ENCRYPTED) !== 0;
  const plain = encodePackHeader({ repositoryId, packKey: null });
  if (isEncrypted) plain.writeUInt16LE(FLAG_ENCRYPTED, 10);
  return header.equals(plain) ? { repositoryId, isEncrypted } : null;
}

/** Footer and trailer of a pack that begins with `header`. */
export function encodePackEnd(
  { packKey }: PackOwner,
  header: Buffer,
  entries: readonly PackEntry[],
): Buffer {
  const footerBytes = 8 + entries.length * FOOTER_ENTRY_BYTES;
  const last = entries.at(-1);
  const footerOffset =
    last === undefined ? PACK_HEADER_BYTES : last.offset + RECORD_HEADER_BYTES + last.storedBytes;
  const end = Buffer.alloc(footerBytes + PACK_TRAILER_BYTES);
  FOOTER_MAGIC.copy(end, 0);
  end.writeUInt32LE(entries.length, 4);
  let at = 8;
  for (const entry of entries) {
    writeRecordFields(end, at, entry);
    end.writeUInt32LE(entry.offset, at + RECORD_FIELDS_BYTES);
    at += FOOTER_ENTRY_BYTES;
  }
  end.writeBigUInt64LE(BigInt(footerOffset), at);
  end.writeUInt32LE(footerBytes, at + 8);
  end.writeUInt32LE(entries.length, at + 12);
  const [footer, trailerStart] = [end.subarray(0, footerBytes), end.subarray(at, at + 16)];
  packChecksum(packKey, header, footer, trailerStart).copy(end, at + 16);
  TRAILER_MAGIC.copy(end, at + 56);
  return end;
}

function packChecksum(
  packKey: Uint8Array | null,
  header: Buffer,
  footer: Buffer,
  trailerStart: Buffer,
): Buffer {
  const hash = packKey === null ? createHash('sha256') : createHmac('sha256', packKey);
  return hash.update(header).update(footer).update(trailerStart).digest();
}

/** The trailer that ends a pack of `packBytes`, or null where it cannot be one. */
export function decodePackTrailer(trailer: Buffer, packBytes: number): PackTrailer | null {
  if (trailer.length !== PACK_TRAILER_BYTES || packBytes > PACK_BYTES_MAX) return null;
  if (trailer.compare(TRAILER_MAGIC, 0, 8, 56) !== 0) return null;
  if (trailer.readBigUInt64LE(48) !== 0n) return null;
  const footerOffset = Number(trailer.readBigUInt64LE(0));
  const footerBytes = trailer.readUInt32LE(8);
  const count = trailer.readUInt32LE(12);
  const sound =
    footerOffset >= PACK_HEADER_BYTES &&
    footerOffset + footerBytes + PACK_TRAILER_BYTES === packBytes &&
    footerBytes === 8 + count * FOOTER_ENTRY_BYTES;
  return sound ? { footerOffset, footerBytes, count, checksum: trailer.subarray(16, 48) } : null;
}

/**
 * The entries of a footer, or null where anything about header, footer and trailer does not agree:
 * checksum, repository, or records that do not stand without gaps from header to footer.
 */
export function decodePackIndex(
  owner: PackOwner,
  header: Buffer,
  footer: Buffer,
  trailer: Buffer,
  end: PackTrailer,
): PackEntry[] | null {
  if (!header.equals(encodePackHeader(owner))) return null;
  const checksum = packChecksum(owner.packKey, header, footer, trailer.subarray(0, 16));
  if (!checksum.equals(end.checksum)) return null;
  if (footer.compare(FOOTER_MAGIC, 0, 4, 0, 4) !== 0) return null;
  if (footer.readUInt32LE(4) !== end.count) return null;
  const entries: PackEntry[] = [];
  let expectedOffset = PACK_HEADER_BYTES;
  for (let at = 8; at < footer.length; at += FOOTER_ENTRY_BYTES) {
    const fields = readRecordFields(footer, at);
    const offset = footer.readUInt32LE(at + RECORD_FIELDS_BYTES);
    if (fields === null || offset !== expectedOffset) return null;
    expectedOffset = offset + RECORD_HEADER_BYTES + fields.storedBytes;
    entries.push({ ...fields, offset });
  }
  return expectedOffset === end.footerOffset ? entries : null;
}
