import { HoldfastError } from '../../kernel/errors.ts';
import { objectId } from '../format/object-id.ts';
import type { ObjectKind } from '../format/record.ts';
import { xorWithBase } from '../format/xor.ts';
import type { PackWriter } from '../packs/pack-writer.ts';
import type { MadeDelta, ObjectReader, StoredRecord } from './object-reader.ts';
import type { EncodedRecord, RecordEncoder } from './record-encoder.ts';

/** Names the object that stood at the same place in the parent snapshot; asked only about new objects. */
export type PredecessorOf = () => Promise<string | null>;

export interface ObjectCounters {
  chunksNew: number;
  chunksDelta: number;
  chunksReused: number;
}

/** Chunks of 3 MiB together: enough to keep every thread busy while results are appended. */
const IN_FLIGHT_MAX = 48;
/** A delta below this part of the plaintext is taken without working out the full record. */
const TINY_DELTA_PART = 1 / 32;
/** A delta must be below this part of the full record. */
const DELTA_PART_MAX = 1 / 2;
/** Beside its bytes a record takes its header, and its entry in the footer. */
const RECORD_OVERHEAD_BYTES = 164;

/** An object as it differs from its base. */
interface Delta extends MadeDelta {
  readonly base: string;
  /** What stood at its place before it: the base, or a delta against it. */
  readonly previous: string;
}

/** 0 to 1, the same for the same object: ids are hashes. */
function lotOf(id: string): number {
  return Number.parseInt(id.slice(8, 16), 16) / 2 ** 32;
}

function unlessDamaged(error: unknown): null {
  if (error instanceof HoldfastError) return null;
  throw error;
}

/** Stores objects once each: hashes at once, compresses and appends in the background, a bounded number at a time. */
export class ObjectWriter {
  readonly counters: ObjectCounters = { chunksNew: 0, chunksDelta: 0, chunksReused: 0 };
  readonly #reader: ObjectReader;
  readonly #packs: PackWriter;
  readonly #encoder: RecordEncoder;
  readonly #inFlight = new Map<string, { plain: Buffer; storing: Promise<void> }>();
  /** Of deltas that are not sealed in a pack yet, by id. */
  readonly #differences = new Map<string, string>();
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
    const isTiny = delta.stored.length < plainBytes * TINY_DELTA_PART;
    const full = isTiny ? null : await this.#encoder.compress(plain);
    if (full !== null && (await this.#isFullBetter(id, plain, delta, full.stored.length))) {
      delta.block?.release();
      return this.#encoder.seal({ id, base: null, kind }, full, plainBytes);
    }
    full?.block?.release();
    this.#differences.set(id, delta.difference);
    return this.#encoder.seal({ id, base: delta.base, kind }, delta, plainBytes);
  }

  /**
   * Deltas are all against one base, and grow as the object drifts away from it. What a delta is larger than one
   * against the object before would be, is rent for keeping the old base; a new one costs a full record. Whoever does
   * not know how long this goes on loses least by buying when the rents add up to the price. Nobody keeps their sum:
   * each time a lot is drawn, with the share of the price that this rent is as its chance. An object of which the
   * same bytes change each time pays no rent, and keeps its base. docs/performance.md has figures.
   */
  async #isFullBetter(
    id: string,
    plain: Buffer,
    delta: Delta,
    fullBytes: number,
  ): Promise<boolean> {
    const deltaBytes = delta.stored.length;
    if (deltaBytes >= fullBytes * DELTA_PART_MAX) return true;
    if (delta.previous === delta.base) return false;
    const previous = await this.#reader.read(delta.previous).catch(unlessDamaged);
    if (previous === null) return true;
    const step = await this.#encoder.compress(xorWithBase(plain, previous));
    const rentBytes = deltaBytes - step.stored.length;
    step.block?.release();
    return lotOf(id) < rentBytes / (fullBytes + RECORD_OVERHEAD_BYTES);
  }

  /**
   * That a record, read back, decodes to what was put. For a delta that this writer has made it is enough that it
   * decodes to the same difference: its base was hashed when the difference was taken. @throws VERIFY_FAILED
   */
  async verify(record: StoredRecord): Promise<void> {
    const difference = this.#differences.get(record.fields.id);
    if (difference === undefined) return this.#reader.verify(record);
    await this.#reader.verifyDifference(record, difference);
    this.#differences.delete(record.fields.id);
  }

  async #encodeDelta(plain: Buffer, predecessor: PredecessorOf): Promise<Delta | null> {
    const { codec } = this.#encoder;
    // Uncompressed, an XOR is as long as what it replaces.
    if (codec === 'none') return null;
    try {
      const previous = await predecessor();
      const base = previous === null ? null : this.#reader.fullRecordOf(previous);
      if (previous === null || base === null) return null;
      const made = await this.#reader.makeDelta(plain, base, codec);
      return made === null ? null : { ...made, base, previous };
    } catch (error) {
      // A damaged parent must not stop a new snapshot: without a base the object is stored in full.
      return unlessDamaged(error);
    }
  }
}
