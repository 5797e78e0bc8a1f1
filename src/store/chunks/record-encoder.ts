import { recordKeyOf } from '../encryption/record-seal.ts';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import type { RecordCodec } from '../format/record.ts';
import { bytePool } from '../threads/byte-pool.ts';
import type { Sealing } from '../threads/byte-task.ts';
import type { LentBlock } from '../threads/lent-block.ts';
import type { StoredRecord } from './object-reader.ts';

export interface Encoded {
  readonly codec: RecordCodec;
  readonly stored: Buffer;
  /** What lends `stored`, where it is not in memory of its own: to be released once it was used. */
  readonly block: LentBlock | null;
}

/** A record to be appended to a pack. */
export interface EncodedRecord extends StoredRecord {
  readonly block: LentBlock | null;
}

/** What a record is of, before its bytes are known. */
export type RecordOf = Sealing['record'];

/** Makes records of plaintext: compressed, and where the repository is encrypted sealed. */
export class RecordEncoder {
  readonly codec: RecordCodec;
  readonly #keys: RepositoryKeys | null;

  constructor(codec: RecordCodec, keys: RepositoryKeys | null) {
    this.codec = codec;
    this.#keys = keys;
  }

  /** The key of object ids; null where the repository is not encrypted. */
  get idKey(): Uint8Array | null {
    return this.#keys?.objectIds ?? null;
  }

  async compress(plain: Buffer): Promise<Encoded> {
    const task = { kind: 'compress', codec: this.codec, bytes: plain } as const;
    const { bytes, codec, block = null } = await bytePool().run(task);
    return { codec, stored: bytes ?? plain, block };
  }

  /** Compressed and sealed in one go, for where nothing is left to choose. */
  async record(record: RecordOf, plain: Buffer): Promise<EncodedRecord> {
    const keys = this.#keys;
    if (keys === null) return recordOf(record, await this.compress(plain), plain.length, false);
    const seal: Sealing = { key: recordKeyOf(keys), record };
    const task = { kind: 'compress', codec: this.codec, bytes: plain, seal } as const;
    const { bytes, codec, block = null } = await bytePool().run(task);
    return recordOf(record, { codec, stored: bytes!, block }, plain.length, true);
  }

  /** Of what was compressed before; `plainBytes` is the length of the plaintext. */
  async seal(record: RecordOf, encoded: Encoded, plainBytes: number): Promise<EncodedRecord> {
    const keys = this.#keys;
    if (keys === null) return recordOf(record, encoded, plainBytes, false);
    const { codec, stored: bytes } = encoded;
    const seal: Sealing = { key: recordKeyOf(keys), record };
    const sealed = await bytePool().run({ kind: 'seal', codec, bytes, plainBytes, seal });
    encoded.block?.release();
    const { block = null } = sealed;
    return recordOf(record, { codec, stored: sealed.bytes!, block }, plainBytes, true);
  }
}

function recordOf(
  record: RecordOf,
  { codec, stored, block }: Encoded,
  plainBytes: number,
  encrypted: boolean,
): EncodedRecord {
  const fields = { ...record, codec, plainBytes, storedBytes: stored.length, encrypted };
  return { fields, stored, block };
}
