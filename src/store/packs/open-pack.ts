import { crc32 } from 'node:zlib';
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
  /** CRC-32 of stored bytes, where it was asked for, by id. */
  readonly checksums = new Map<string, number>();
  readonly #owner: PackOwner;
  readonly #header: Buffer;
  readonly #indexes = new Map<string, number>();
  /** Header and records, in one piece: so it is written, and nothing keeps the larger blocks alive it was cut from. */
  #memory: Buffer | null = null;
  #bytes: number;
  readonly #takeSpare: () => Buffer | null;

  /** `takeSpare`: memory of a pack that is done with, asked for when there is something to append. */
  constructor(owner: PackOwner, takeSpare: () => Buffer | null = () => null) {
    this.#owner = owner;
    this.#takeSpare = takeSpare;
    this.#header = encodePackHeader(owner);
    this.#bytes = this.#header.length;
  }

  /** Of header and records so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= PACK_BYTES_TARGET || this.entries.length >= PACK_RECORDS_TARGET;
  }

  append(
    fields: RecordFields,
    stored: Buffer,
    { withChecksum = false }: { readonly withChecksum?: boolean } = {},
  ): PackEntry {
    if (withChecksum) this.checksums.set(fields.id, crc32(stored));
    const entry: PackEntry = { ...fields, offset: this.#bytes };
    const end = this.#bytes + RECORD_HEADER_BYTES + stored.length;
    const memory = this.#reserve(end);
    encodeRecordHeader(fields).copy(memory, this.#bytes);
    stored.copy(memory, this.#bytes + RECORD_HEADER_BYTES);
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
    this.#memory!.copy(stored, 0, begin, begin + fields.storedBytes);
    return { fields, stored };
  }

  /** The whole file. Nothing may be appended afterwards. */
  finish(): Buffer {
    const end = encodePackEnd(this.#owner, this.#header, this.entries);
    const memory = this.#reserve(this.#bytes + end.length);
    end.copy(memory, this.#bytes);
    return memory.subarray(0, this.#bytes + end.length);
  }

  /** What the next pack may use when nobody reads this one from memory any more. */
  get memory(): Buffer | null {
    return this.#memory;
  }

  /** Memory of at least so many bytes, which threads see: they verify what is in it. */
  #reserve(bytes: number): Buffer {
    const memory = (this.#memory ??= this.#firstMemory());
    if (bytes <= memory.length) return memory;
    const grown = Math.min(memory.length * 4, USUAL_BYTES_MAX);
    const larger = sharedMemory(Math.max(bytes, grown));
    memory.copy(larger, 0, 0, this.#bytes);
    this.#memory = larger;
    return larger;
  }

  #firstMemory(): Buffer {
    const memory = this.#takeSpare() ?? sharedMemory(FIRST_BYTES);
    this.#header.copy(memory);
    return memory;
  }
}

function sharedMemory(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes));
}
