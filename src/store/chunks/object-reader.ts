import { cannot, HoldfastError, messageOf, systemCode } from '../../kernel/errors.ts';
import type { Location } from '../catalog/catalog-schema.ts';
import { recordKeyOf } from '../encryption/record-seal.ts';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import { objectId } from '../format/object-id.ts';
import {
  decodeRecordHeader,
  RECORD_HEADER_BYTES,
  type RecordCodec,
  type RecordFields,
} from '../format/record.ts';
import { xorWithBase } from '../format/xor.ts';
import type { LentBytes, PackFiles } from '../packs/pack-files.ts';
import { runKeysOf } from '../packs/sound-records.ts';
import { bytePool } from '../threads/byte-pool.ts';
import type { ByteResult, DecodeTask } from '../threads/byte-task.ts';
import type { LentBlock } from '../threads/lent-block.ts';

export interface StoredRecord {
  readonly fields: RecordFields;
  readonly stored: Buffer;
}

/** An object as it differs from its base. */
export interface MadeDelta {
  readonly codec: RecordCodec;
  readonly stored: Buffer;
  /** What lends `stored`, where it is not in memory of its own: to be released once it was used. */
  readonly block: LentBlock | null;
  /** Hash of the difference. */
  readonly difference: string;
}

/** Says where records stand. */
export interface Locator {
  find(id: string): Location | null;
  /** Asked when `find` gave nothing, or something wrong. */
  findAgain(id: string): Promise<Location | null>;
}

/** What a writer has taken in and not sealed in a pack yet. */
export interface PendingObjects {
  pendingRecord(id: string): StoredRecord | null;
  /** Plaintext of what is not even a record yet. */
  pendingPlain(id: string): Buffer | null;
}

/** Hears of an object that cannot be read, and of the pack whose record of it is damaged. */
export type DamageListener = (id: string, pack: string) => void;

const BASES_KEPT_MAX = 32;
const HINT =
  'Other snapshots may still be restorable; holdfast check --read-data-subset 100% shows the extent of the damage.';

/** Reads objects by id. Whatever is handed out hashes to the id that was asked for. */
export class ObjectReader {
  readonly #index: Locator;
  readonly #files: PackFiles;
  readonly #keys: RepositoryKeys | null;
  readonly #pending: PendingObjects | null;
  readonly #onDamage: DamageListener | null;
  /** Plaintext of the bases used last: neighbouring chunks' deltas often share nothing else. */
  readonly #bases = new Map<string, Buffer>();

  /** `keys`: of the repository, where it is encrypted. */
  constructor(
    index: Locator,
    files: PackFiles,
    keys: RepositoryKeys | null,
    pending: PendingObjects | null = null,
    onDamage: DamageListener | null = null,
  ) {
    this.#index = index;
    this.#files = files;
    this.#keys = keys;
    this.#pending = pending;
    this.#onDamage = onDamage;
  }

  /**
   * `into`: memory that threads see, for an object of just that length; whatever else is read comes in its own.
   * @throws REPO_CORRUPT when no pack holds it, VERIFY_FAILED when what is stored is not it or cannot be read, system
   *   errors that say nothing about what is stored
   */
  async read(id: string, into?: Buffer): Promise<Buffer> {
    try {
      return await this.#read(id, into);
    } catch (error) {
      const isDamage = error instanceof HoldfastError && error.code === 'VERIFY_FAILED';
      const { object, pack } = isDamage ? (error.details ?? {}) : {};
      // Not the failure of a base, of which was told already.
      if (object === id && typeof pack === 'string') this.#onDamage?.(id, pack);
      throw error;
    }
  }

  /**
   * The same of several, those in one go that are full records of packs: each in its place where it is as long as that,
   * else in memory of its own. @throws as `read`
   */
  async readMany(ids: readonly string[], places: readonly Buffer[]): Promise<readonly Buffer[]> {
    const isRead = await this.#readRun(ids, places);
    return Promise.all(
      ids.map((id, index) => (isRead[index] ? places[index]! : this.read(id, places[index]))),
    );
  }

  /** Which of them stand in their places now; what is amiss with the others shows when they are read by themselves. */
  async #readRun(ids: readonly string[], places: readonly Buffer[]): Promise<readonly boolean[]> {
    const lent = await Promise.all(ids.map((id) => this.#lendFull(id)));
    try {
      const run = lent.flatMap((record, index) => (record === null ? [] : { index, record }));
      if (run.length === 0) return [];
      const into = run.map(({ index }) => places[index]!);
      const { ids: found = [] } = await bytePool().run({
        kind: 'records',
        records: run.map(({ record }) => record.bytes),
        into,
        keys: runKeysOf(this.#keys),
        plainBytes: into.reduce((sum, { length }) => sum + length, 0),
      });
      const isRead: boolean[] = [];
      for (const [at, { index }] of run.entries()) isRead[index] = found[at] === ids[index];
      return isRead;
    } finally {
      for (const record of lent) record?.release();
    }
  }

  /** Lends a full record, header and all, where one is known to stand in a pack. */
  async #lendFull(id: string): Promise<LentBytes | null> {
    if (this.#isPending(id)) return null;
    const location = this.#index.find(id);
    if (location === null || location.base !== null) return null;
    const bytes = RECORD_HEADER_BYTES + location.storedBytes;
    return this.#files.read(location.pack, location.offset, bytes).catch(() => null);
  }

  async #read(id: string, into?: Buffer): Promise<Buffer> {
    const plain = this.#pending?.pendingPlain(id) ?? null;
    if (plain !== null) return plain;
    const pending = this.#pending?.pendingRecord(id) ?? null;
    if (pending !== null) return this.decode(pending, into);
    const location = this.#index.find(id);
    if (location !== null) {
      try {
        return await this.#readAt(id, location, into);
      } catch (error) {
        const moved = this.#index.find(id);
        if (moved !== null && !sameLocation(location, moved)) return this.#readAt(id, moved, into);
        // The catalog may be wrong about it, or another pack may hold it too.
        const again = await this.#index.findAgain(id);
        if (again === null || sameLocation(location, again)) throw error;
        return this.#readAt(id, again, into);
      }
    }
    const found = await this.#index.findAgain(id);
    if (found !== null) return this.#readAt(id, found, into);
    throw cannot('REPO_CORRUPT', 'read object', id, 'no pack holds it', {
      hint: HINT,
      details: { object: id },
    });
  }

  /** Whether a record of it is known, without reading it. */
  async holds(id: string): Promise<boolean> {
    if (this.#isPending(id)) return true;
    return (this.#index.find(id) ?? (await this.#index.findAgain(id))) !== null;
  }

  /**
   * The plaintext of a record, hashed against its id; `into` as of `read`.
   * @throws VERIFY_FAILED and what reading the base throws
   */
  async decode(record: StoredRecord, into?: Buffer): Promise<Buffer> {
    const { fields, stored } = record;
    const to = into?.length === fields.plainBytes ? { into } : {};
    if (fields.base !== null) {
      return (await this.#decodeOnBase(record, to)) ?? (await this.#decodeDelta(record));
    }
    const task = this.#decoding(fields, stored);
    const { bytes, id } = await bytePool().run({ ...task, ...to, wanted: 'both' });
    requireId(fields, id);
    return bytes ?? stored;
  }

  /** That a record decodes to what hashes to its id; cheaper than `decode`, and throws the same. */
  async verify(record: StoredRecord): Promise<void> {
    const { fields, stored } = record;
    if (fields.base !== null) {
      if ((await this.#decodeOnBase(record, 'id')) === null) await this.#decodeDelta(record);
      return;
    }
    const task = this.#decoding(fields, stored);
    requireId(fields, (await bytePool().run({ ...task, wanted: 'id' })).id);
  }

  /**
   * A delta and its base in one go, where both are records of packs; nothing of the base's plaintext is kept. Null
   * where that is not so, and where anything is amiss: step by step it is found out what. Nothing for `id` alone.
   */
  async #decodeOnBase(
    { fields, stored }: StoredRecord,
    to: { readonly into?: Buffer } | 'id',
  ): Promise<Buffer | null> {
    const { base } = fields;
    if (base === null || this.#bases.has(base) || this.#isPending(base)) return null;
    const location = this.#index.find(base);
    if (location === null || location.base !== null) return null;
    try {
      return await this.#withRecord(base, location, async (full) => {
        const task = {
          ...this.#decoding(fields, stored),
          base: this.#decoding(full.fields, full.stored),
          ...(to === 'id' ? ({ wanted: 'id' } as const) : ({ ...to, wanted: 'both' } as const)),
        };
        const { bytes, id } = await bytePool().run(task);
        requireId(fields, id);
        return bytes ?? NOTHING;
      });
    } catch {
      return null;
    }
  }

  async #decodeDelta({ fields, stored }: StoredRecord): Promise<Buffer> {
    const task = this.#decoding(fields, stored);
    const { bytes } = await bytePool().run({ ...task, wanted: 'plain' });
    const plain = xorWithBase(bytes ?? stored, await this.readBase(fields.base!));
    requireId(fields, objectId(plain, this.#idKey));
    return plain;
  }

  /**
   * What `plain` differs by from the full record `base`, compressed with `codec`; null where they have too little in
   * common. @throws what reading the base throws
   */
  async makeDelta(plain: Buffer, base: string, codec: RecordCodec): Promise<MadeDelta | null> {
    const task = { kind: 'delta', codec, bytes: plain, baseId: base, idKey: this.#idKey } as const;
    const lent = this.#bases.has(base) ? null : await this.#lendFull(base);
    try {
      const fields = lent === null ? null : decodeRecordHeader(lent.bytes, 0);
      if (lent !== null && fields?.id === base && fields.base === null) {
        const record = this.#decoding(fields, lent.bytes.subarray(RECORD_HEADER_BYTES));
        const result = await bytePool().run({ ...task, base: record });
        if (result.ids?.[0] === base) return madeOf(result);
      }
    } finally {
      lent?.release();
    }
    const bytes = await this.readBase(base);
    const plaintext = { codec: 'none', bytes, plainBytes: bytes.length } as const;
    return madeOf(await bytePool().run({ ...task, base: plaintext }));
  }

  get #idKey(): Uint8Array | null {
    return this.#keys?.objectIds ?? null;
  }

  /** That a delta decodes to a difference that hashes so. @throws VERIFY_FAILED, what the codec throws */
  async verifyDifference({ fields, stored }: StoredRecord, difference: string): Promise<void> {
    const task = this.#decoding(fields, stored);
    const { id } = await bytePool().run({ ...task, wanted: 'id' });
    if (id !== difference) requireId(fields, null);
  }

  #decoding(fields: RecordFields, stored: Buffer): Omit<DecodeTask, 'wanted'> {
    const keys = this.#keys;
    requireReadable(fields, keys);
    const { codec, plainBytes } = fields;
    const task = { kind: 'decode', codec, bytes: stored, plainBytes } as const;
    if (keys === null) return task;
    return { ...task, idKey: keys.objectIds, opening: { key: recordKeyOf(keys), fields } };
  }

  /** Id of the full record that a delta against `id` must use: `id`'s own base where `id` is a delta. */
  fullRecordOf(id: string): string | null {
    const pending = this.#pending?.pendingRecord(id) ?? null;
    if (pending !== null) return pending.fields.base ?? id;
    const location = this.#index.find(id);
    return location === null ? null : (location.base ?? id);
  }

  /** The plaintext of a full record. @throws REPO_CORRUPT when it is a delta; what `read` throws */
  async readBase(id: string): Promise<Buffer> {
    const kept = this.#bases.get(id);
    if (kept !== undefined) return kept;
    const pending = this.#pending?.pendingRecord(id) ?? null;
    const location = pending === null ? this.#index.find(id) : null;
    // Never follow a second step: a delta of a delta is not format 1, and could form a ring.
    if ((pending?.fields.base ?? location?.base ?? null) !== null) {
      throw cannot(
        'REPO_CORRUPT',
        'read object',
        id,
        'it is the base of a delta, and a delta itself',
      );
    }
    const read = await this.read(id);
    // A slice of a block would keep all of it alive.
    const plain = read.buffer.byteLength === read.length ? read : copyOf(read);
    this.#bases.set(id, plain);
    if (this.#bases.size > BASES_KEPT_MAX) this.#bases.delete(this.#bases.keys().next().value!);
    return plain;
  }

  async #readAt(id: string, location: Location, into?: Buffer): Promise<Buffer> {
    try {
      return await this.#withRecord(id, location, async (record) => {
        const plain = await this.decode(record, into);
        // What was stored as it is, is only lent.
        return plain.buffer === record.stored.buffer && plain !== into ? copyOf(plain) : plain;
      });
    } catch (error) {
      throw readFailure(id, location, error);
    }
  }

  /** Lends the record of `id` that stands at its place. @throws system errors of reading; where it is another one */
  async #withRecord<Result>(
    id: string,
    location: Location,
    use: (record: StoredRecord) => Promise<Result>,
  ): Promise<Result> {
    const bytes = RECORD_HEADER_BYTES + location.storedBytes;
    const lent = await this.#files.read(location.pack, location.offset, bytes);
    try {
      const fields = decodeRecordHeader(lent.bytes, 0);
      const stored = lent.bytes.subarray(RECORD_HEADER_BYTES);
      if (fields === null || fields.id !== id || fields.storedBytes !== stored.length) {
        throw new Error('no such record stands at its place');
      }
      return await use({ fields, stored });
    } finally {
      lent.release();
    }
  }

  #isPending(id: string): boolean {
    return Boolean(this.#pending?.pendingPlain(id) || this.#pending?.pendingRecord(id));
  }
}

const NOTHING = Buffer.alloc(0);

function madeOf({ bytes, codec, id, block }: ByteResult): MadeDelta | null {
  if (bytes === null || id === null) return null;
  return { codec, stored: bytes, block: block ?? null, difference: id };
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** All records of an encrypted repository are, and none of another: who puts others there is not us. */
function requireReadable({ encrypted, id }: RecordFields, keys: RepositoryKeys | null): void {
  if (encrypted === (keys !== null)) return;
  if (!encrypted) throw cannot('VERIFY_FAILED', 'read object', id, 'its record is not encrypted');
  throw cannot('UNSUPPORTED_FORMAT', 'read object', id, 'its record is encrypted');
}

function requireId({ id }: RecordFields, found: string | null): void {
  if (found === id) return;
  throw cannot('VERIFY_FAILED', 'read object', id, 'its content does not hash to its id');
}

function sameLocation(left: Location, right: Location): boolean {
  return left.pack === right.pack && left.offset === right.offset;
}

/** What says nothing about a pack: this process or this host has come to an end of something. */
const NOT_OF_THE_PACK = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EACCES', 'EPERM']);

function readFailure(id: string, location: Location, error: unknown): unknown {
  if (error instanceof HoldfastError && error.code !== 'VERIFY_FAILED') return error;
  if (NOT_OF_THE_PACK.has(systemCode(error) ?? '')) return error;
  // A nested failure (the base's) has named its own pack already.
  if (error instanceof HoldfastError && error.details?.['pack'] !== undefined) return error;
  const missing = systemCode(error) === 'ENOENT';
  const state = missing ? 'the pack that holds it is gone' : messageOf(error);
  const code = missing ? 'REPO_CORRUPT' : 'VERIFY_FAILED';
  return cannot(code, 'read object', id, `${state} (pack ${location.pack})`, {
    hint: `Pack ${location.pack} is damaged. ${HINT}`,
    details: { object: id, pack: location.pack, offset: location.offset },
    cause: error,
  });
}
