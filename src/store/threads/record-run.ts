import { objectId } from '../format/object-id.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../format/record.ts';
import type { RecordRunTask, RunKeys } from './byte-task.ts';
import { decode, hashingTarget } from './decode.ts';

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
