import { crc32 } from 'node:zlib';
import { ID_BYTES, OBJECT_BYTES_MAX, SEALED_EXTRA_BYTES } from './bounds.ts';

/** Record headers of a pack (docs/format.md, Packs). */

export type ObjectKind = 'chunk' | 'node' | 'tree';
export type RecordCodec = 'none' | 'brotli' | 'zstd';

export interface RecordFields {
  readonly id: string;
  /** Id of the full record this one is a delta against; null for a full record. */
  readonly base: string | null;
  readonly kind: ObjectKind;
  readonly codec: RecordCodec;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly encrypted: boolean;
}

export const RECORD_HEADER_BYTES = 84;
/** The part of a header that is repeated in the footer: all but magic and checksum. */
export const RECORD_FIELDS_BYTES = 76;

const RECORD_MAGIC = Buffer.from('HFrc', 'latin1');
const TYPE_FULL = 1;
const TYPE_DELTA = 2;
const FLAG_ENCRYPTED = 1;
const KINDS: readonly (ObjectKind | undefined)[] = [undefined, 'chunk', 'node', 'tree'];
const CODECS: readonly (RecordCodec | undefined)[] = ['none', 'brotli', 'zstd'];
const NO_BASE = Buffer.alloc(ID_BYTES);

/** Writes RECORD_FIELDS_BYTES at `offset`. */
export function writeRecordFields(target: Buffer, offset: number, fields: RecordFields): void {
  target[offset] = fields.base === null ? TYPE_FULL : TYPE_DELTA;
  target[offset + 1] = KINDS.indexOf(fields.kind);
  target[offset + 2] = CODECS.indexOf(fields.codec);
  target[offset + 3] = fields.encrypted ? FLAG_ENCRYPTED : 0;
  target.writeUInt32LE(fields.plainBytes, offset + 4);
  target.writeUInt32LE(fields.storedBytes, offset + 8);
  target.write(fields.id, offset + 12, 'hex');
  if (fields.base === null) NO_BASE.copy(target, offset + 44);
  else target.write(fields.base, offset + 44, 'hex');
}

/** The fields at `offset`, or null where they are not what a writer would have written. */
export function readRecordFields(source: Buffer, offset: number): RecordFields | null {
  const type = source[offset];
  const kind = KINDS[source[offset + 1]!];
  const codec = CODECS[source[offset + 2]!];
  const flags = source[offset + 3]!;
  const plainBytes = source.readUInt32LE(offset + 4);
  const storedBytes = source.readUInt32LE(offset + 8);
  const base = source.subarray(offset + 44, offset + 76);
  const sealedBytes = (flags & FLAG_ENCRYPTED) === 0 ? 0 : SEALED_EXTRA_BYTES;
  const sound =
    (type === TYPE_FULL || type === TYPE_DELTA) &&
    (type === TYPE_FULL) === base.equals(NO_BASE) &&
    kind !== undefined &&
    codec !== undefined &&
    (flags & ~FLAG_ENCRYPTED) === 0 &&
    plainBytes >= 1 &&
    plainBytes <= OBJECT_BYTES_MAX &&
    storedBytes >= 1 + sealedBytes &&
    storedBytes <= plainBytes + sealedBytes;
  if (!sound) return null;
  return {
    id: source.toString('hex', offset + 12, offset + 44),
    base: type === TYPE_FULL ? null : base.toString('hex'),
    kind,
    codec,
    plainBytes,
    storedBytes,
    encrypted: (flags & FLAG_ENCRYPTED) !== 0,
  };
}

export function encodeRecordHeader(fields: RecordFields): Buffer {
  const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  RECORD_MAGIC.copy(header, 0);
  writeRecordFields(header, 4, fields);
  header.writeUInt32LE(crc32(header.subarray(0, 80)), 80);
  return header;
}

/** The header at `offset`, or null where none with a right checksum stands. */
export function decodeRecordHeader(source: Buffer, offset: number): RecordFields | null {
  if (offset + RECORD_HEADER_BYTES > source.length) return null;
  if (source.compare(RECORD_MAGIC, 0, 4, offset, offset + 4) !== 0) return null;
  const checksum = crc32(source.subarray(offset, offset + 80));
  if (source.readUInt32LE(offset + 80) !== checksum) return null;
  return readRecordFields(source, offset + 4);
}

/** Where the next record header may begin at or after `from`; -1 when there is none. */
export function findRecordMagic(source: Buffer, from: number): number {
  return source.indexOf(RECORD_MAGIC, from);
}
