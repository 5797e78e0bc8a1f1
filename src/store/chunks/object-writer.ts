import { HoldfastError } from '../../kernel/errors.ts';
import { objectId } from '../format/object-id.ts';
import type { ObjectKind } from '../format/record.ts';
import type { PackWriter } from '../packs/pack-writer.ts';
import type { ObjectReader } from './object-reader.ts';
import type { Encoded, EncodedRecord, RecordEncoder } from './record-encoder.ts';
import { differingShare, xorWithBase } from './xor.ts';

/** Names the object that stood at the same place in the parent snapshot; asked only about new objects. */
export type PredecessorOf = () => Promise<string | null>;

export interface ObjectCounters {
  chunksNew: number;
  chunksDelta: number;
  chunksReused: number;
}

/** Chunks of 3 MiB together: enough to keep every thread busy while results are appended. */
const IN_FLIGHT_MAX = 48;
/** Above this a delta has little left to win over a full record, and only costs time. */
const DIFFERING_SHARE_MAX = 0.5;
/** A delta below this part of the plaintext is taken without working out the full record. */
const TINY_DELTA_PART = 1 / 32;
/** A delta must be below this part of the full record. */
const DELTA_PART_MAX = 1 / 2;

/** Stores objects once each: hashes at once, compresses and appends in the background, a bounded number at a time. */
export class ObjectWriter {
  readonly counters: ObjectCounters = { chunksNew: 0, chunksDelta: 0, chunksReused: 0 };
  readonly #reader: ObjectReader;
  readonly #packs: PackWriter;
  readonly #encoder: RecordEncoder;
  readonly #inFlight = new Map<string, { plain: Buffer; storing: Promise<void> }>();
  #failure: { error: unknown } | null = null;
  /** Called when there is room for one more. */
  #waiting: (() => void)[] = [];

  constructor(reader: ObjectReader, packs: PackWriter, encoder: RecordEncoder) {
    this.#reader = reader;
    this.#packs = packs;
    this.#encoder = encoder;
  }

  /** The key of object ids; null where the repository is not encrypted. */
  get idKey(): Uint8Array | null {
    return this.#encoder.idKey;
  }

  /** A copy of the plaintext of an object on its way to a pack: the memory of the original may be used again soon. */
  plainInFlight(id: string): Buffer | null {
    const plain = this.#inFlight.get(id)?.plain;
    return plain === undefined ? null : Buffer.from(plain);
  }

  /** True when the object is stored, or on its way. */
  has(id: string): boolean {
    return this.#inFlight.has(id) || this.#packs.has(id);
  }

  /**
   * The id of `plain`, which must not be changed before `onUsed` is called; storing it, where it is new, goes on in
   * the background until `settle`. `id`: where it is known already. @throws the failure of any object put before
   */
  async put(
    kind: ObjectKind,
    plain: Buffer,
    predecessor: PredecessorOf | null,
    { id = objectId(plain, this.idKey), onUsed }: { id?: string; onUsed?: () => void } = {},
  ): Promise<string> {
    // Waiting may let the same object in, or give the room to somebody else.
    while (!this.has(id) && this.#inFlight.size >= IN_FLIGHT_MAX) await this.#room();
    this.throwFailure();
    if (this.has(id)) {
      if (kind === 'chunk') this.counters.chunksReused += 1;
      onUsed?.();
      return id;
    }
    const storing = this.#store(id, kind, plain, predecessor)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(id);
        onUsed?.();
        this.#waiting.shift()?.();
      });
    this.#inFlight.set(id, { plain, storing });
    return id;
  }

  /** Counts a chunk that was put before as one of this content too. @returns false when there is none */
  reuseChunk(id: string): boolean {
    if (!this.has(id)) return false;
    this.counters.chunksReused += 1;
    return true;
  }

  /** Resolves when everything put so far was appended to a pack. @throws the first failure */
  async settle(): Promise<void> {
    await this.idle();
    this.throwFailure();
  }

  /** Resolves when nothing goes on in the background any more, whether it failed or not. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#storing());
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #storing(): Promise<void>[] {
    return [...this.#inFlight.values()].map(({ storing }) => storing);
  }

  /** @throws the first failure of anything put so far: it, not what is missing because of it, is what went wrong */
  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #store(
    id: string,
    kind: ObjectKind,
    plain: Buffer,
    predecessor: PredecessorOf | null,
  ): Promise<void> {
    const { fields, stored, block } = await this.#encode(id, kind, plain, predecessor);
    await this.#packs.append(fields, stored);
    block?.release();
    if (kind !== 'chunk') return;
    if (fields.base === null) this.counters.chunksNew += 1;
    else this.counters.chunksDelta += 1;
  }

  async #encode(
    id: string,
    kind: ObjectKind,
    plain: Buffer,
    predecessor: PredecessorOf | null,
  ): Promise<EncodedRecord> {
    const { length: plainBytes } = plain;
    const delta = predecessor === null ? null : await this.#encodeDelta(plain, predecessor);
    if (delta === null) return this.#encoder.record({ id, base: null, kind }, plain);
    const asDelta = { id, base: delta.base, kind };
    if (delta.stored.length < plainBytes * TINY_DELTA_PART) {
      return this.#encoder.seal(asDelta, delta, plainBytes);
    }
    const full = await this.#encoder.compress(plain);
    if (delta.stored.length < full.stored.length * DELTA_PART_MAX) {
      full.block?.release();
      return this.#encoder.seal(asDelta, delta, plainBytes);
    }
    delta.block?.release();
    return this.#encoder.seal({ id, base: null, kind }, full, plainBytes);
  }

  async #encodeDelta(
    plain: Buffer,
    predecessor: PredecessorOf,
  ): Promise<(Encoded & { base: string }) | null> {
    // Uncompressed, an XOR is as long as what it replaces.
    if (this.#encoder.codec === 'none') return null;
    const found = await this.#readBase(predecessor);
    if (found === null || differingShare(plain, found.plain) > DIFFERING_SHARE_MAX) return null;
    const encoded = await this.#encoder.compress(xorWithBase(plain, found.plain));
    return { ...encoded, base: found.base };
  }

  async #readBase(predecessor: PredecessorOf): Promise<{ base: string; plain: Buffer } | null> {
    try {
      const previous = await predecessor();
      const base = previous === null ? null : this.#reader.fullRecordOf(previous);
      return base === null ? null : { base, plain: await this.#reader.readBase(base) };
    } catch (error) {
      // A damaged parent must not stop a new snapshot: without a base the object is stored in full.
      if (error instanceof HoldfastError) return null;
      throw error;
    }
  }
}
