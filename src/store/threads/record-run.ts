import { openRecord, type RecordKey } from '../encryption/record-seal.ts';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import { decompress } from '../format/codec.ts';
import { objectId } from '../format/object-id.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../format/record.ts';

/** Decodes many full records in one go: for each of them by itself, asking and answering takes as long as the work. */
export interface RecordRunTask {
  readonly kind: 'records';
  /** Each with its header. */
  readonly records: readonly Buffer[];
  /** Where their plaintext goes, one place each, in memory that threads see; null: only the ids are wanted. */
  readonly into: readonly Buffer[] | null;
  /** Null where the repository is not encrypted. */
  readonly keys: RunKeys | null;
  /** Of all of them together. */
  readonly plainBytes: number;
}

export interface RunKeys {
  readonly objectIds: Uint8Array;
  readonly record: RecordKey;
}

/**
 * The ids of the records, each null unless it is a full record whose plaintext hashes to it and is as long as its
 * place. Why not is for whoever wants to know to find out: nothing of it is said here.
 */
export function runIds({ records, into, keys }: RecordRunTask): (string | null)[] {
  return records.map((record, index) => {
    try {
      return soundId(record, into?.[index] ?? null, keys);
    } catch {
      return null;
    }
  });
}

function soundId(record: Buffer, into: Buffer | null, keys: RunKeys | null): string | null {
  const fields = decodeRecordHeader(record, 0);
  if (fields === null || fields.base !== null || fields.encrypted !== (keys !== null)) return null;
  const { id, codec, plainBytes, storedBytes } = fields;
  if (record.length !== RECORD_HEADER_BYTES + storedBytes) return null;
  if (into !== null && into.length !== plainBytes) return null;
  const body = record.subarray(RECORD_HEADER_BYTES);
  const stored = keys === null ? body : openRecord(keys.record, fields, body);
  const plain = decompress(codec, stored, plainBytes, into ?? scratchOf(codec, plainBytes));
  return objectId(plain, keys?.objectIds ?? null) === id ? id : null;
}

let scratch = Buffer.alloc(0);

/** What is only hashed goes where the last one was; what was not compressed is hashed where it stands. */
function scratchOf(codec: string, plainBytes: number): Buffer | undefined {
  if (codec !== 'zstd') return undefined;
  if (scratch.length < plainBytes) scratch = Buffer.allocUnsafeSlow(OBJECT_BYTES_MAX);
  return scratch.subarray(0, plainBytes);
}
