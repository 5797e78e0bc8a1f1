import type { RecordKey } from '../encryption/record-seal.ts';
import { objectId } from '../format/object-id.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../format/record.ts';
import { decode, hashingTarget } from './decode.ts';

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
  const bytes = record.subarray(RECORD_HEADER_BYTES);
  const opening = keys === null ? null : { key: keys.record, fields };
  const target = into ?? hashingTarget(codec, plainBytes);
  const plain = decode({ codec, bytes, plainBytes, opening }, target);
  return objectId(plain, keys?.objectIds ?? null) === id ? id : null;
}
