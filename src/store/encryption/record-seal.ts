import { RECORD_FIELDS_BYTES, type RecordFields, writeRecordFields } from '../format/record.ts';
import { type RepositoryKeys, rawUuid, sealingKeyOf } from './repository-keys.ts';
import { SEAL_BYTES } from './sealing-key.ts';

/** What sealing and opening records takes: plain data, for threads. */
export interface RecordKey {
  readonly key: Uint8Array;
  readonly repositoryId: string;
}

export const recordKeyOf = ({ records, repositoryId }: RepositoryKeys): RecordKey => ({
  key: records,
  repositoryId,
});

const DOMAIN = Buffer.from('HFrc', 'latin1');
const UUID_BYTES = 16;

/** The fields of a record as they stand in its header once `bytes` were sealed. */
export const sealedFields = (fields: RecordFields): RecordFields => ({
  ...fields,
  encrypted: true,
  storedBytes: fields.storedBytes + SEAL_BYTES,
});

/** Seals the stored bytes of a record. `fields` are those of its header: `sealedFields`. */
export function sealRecord(
  { key, repositoryId }: RecordKey,
  fields: RecordFields,
  stored: Uint8Array,
): Buffer {
  return sealingKeyOf(key).seal(stored, associatedData(repositoryId, fields));
}

/** @throws VERIFY_FAILED */
export function openRecord(
  { key, repositoryId }: RecordKey,
  fields: RecordFields,
  sealed: Uint8Array,
): Buffer {
  return sealingKeyOf(key).open(sealed, associatedData(repositoryId, fields));
}

function associatedData(repositoryId: string, fields: RecordFields): Buffer {
  const data = Buffer.alloc(DOMAIN.length + UUID_BYTES + RECORD_FIELDS_BYTES);
  DOMAIN.copy(data);
  rawUuid(repositoryId).copy(data, DOMAIN.length);
  writeRecordFields(data, DOMAIN.length + UUID_BYTES, fields);
  return data;
}
