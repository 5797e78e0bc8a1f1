import { createHash, type Hash } from 'node:crypto';
import { PACK_BYTES_TARGET, PACK_RECORDS_TARGET } from '../format/bounds.ts';
import {
  encodePackEnd,
  encodePackHeader,
  type PackEntry,
  type PackOwner,
} from '../format/pack-layout.ts';
import { encodeRecordHeader, RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';

const FIRST_BYTES = 64 * 1024;
/** Room for a full pack with its last record and its footer. */
const USUAL_BYTES_MAX = PACK_BYTES_TARGET + 2 * 1024 * 1024;

/** A pack being filled, in memory: up to PACK_BYTES_TARGET or PACK_RECORDS_TARGET. */
export class OpenPack {
  readonly entries: PackEntry[] = [];
  readonly #owner: PackOwner;
  readonly #header: Buffer;
  readonly #indexes = new Map<string, number>();
  readonly #hash: Hash = createHash('sha256');
  /** Header and records, in one piece: so it is written, and nothing keeps the larger blocks alive it was cut from. */
  #memory: Buffer;
  #bytes: number;

  /** `memory`: of a pack that is done with. */
  constructor(owner: PackOwner, memory: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)) {
    this.#owner = owner;
    this.#memory = memory;
    this.#header = encodePackHeader(owner);
    this.#header.copy(this.#memory);
    this.#hash.update(this.#header);
    this.#bytes = this.#header.length;
  }

  /** Of header and records so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= PACK_BYTES_TARGET || this.entries.length >= PACK_RECORDS_TARGET;
  }

  append(fields: RecordFields, stored: Buffer): PackEntry {
    const entry: PackEntry = { ...fields, offset: this.#bytes };
    const end = this.#bytes + RECORD_HEADER_BYTES + stored.length;
    this.#reserve(end);
    encodeRecordHeader(fields).copy(this.#memory, this.#bytes);
    stored.copy(this.#memory, this.#bytes + RECORD_HEADER_BYTES);
    this.#hash.update(this.#memory.subarray(this.#bytes, end));
    this.#bytes = end;
    this.#indexes.set(fields.id, this.entries.length);
    this.entries.push(entry);
    return entry;
  }

  /** A copy of a record appended before. */
  record(id: string): { fields: RecordFields; stored: Buffer } | null {
    const index = this.#indexes.get(id);
    if (index === undefined) return null;
    const { offset, ...fields } = this.entries[index]!;
    const begin = offset + RECORD_HEADER_BYTES;
    const stored = Buffer.allocUnsafeSlow(fields.storedBytes);
    this.#memory.copy(stored, 0, begin, begin + fields.storedBytes);
    return { fields, stored };
  }

  /** The whole file, and its name. Nothing may be appended afterwards. */
  finish(): { name: string; whole: Buffer } {
    const end = encodePackEnd(this.#owner, this.#header, this.entries);
    const name = this.#hash.copy().update(end).digest('hex');
    this.#reserve(this.#bytes + end.length);
    end.copy(this.#memory, this.#bytes);
    return { name, whole: this.#memory.subarray(0, this.#bytes + end.length) };
  }

  /** What the next pack may use when nobody reads this one from memory any more. */
  get memory(): Buffer {
    return this.#memory;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#memory.length) return;
    const grown = Math.min(this.#memory.length * 4, USUAL_BYTES_MAX);
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, grown));
    this.#memory.copy(larger, 0, 0, this.#bytes);
    this.#memory = larger;
  }
}
