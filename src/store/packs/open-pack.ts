import { createHash, type Hash } from 'node:crypto';
import { PACK_BYTES_TARGET, PACK_RECORDS_TARGET } from '../format/bounds.ts';
import { encodePackEnd, encodePackHeader, type PackEntry } from '../format/pack-layout.ts';
import { encodeRecordHeader, RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';

/** A pack being filled, in memory: up to PACK_BYTES_TARGET or PACK_RECORDS_TARGET. */
export class OpenPack {
  readonly entries: PackEntry[] = [];
  readonly #header: Buffer;
  readonly #parts: Buffer[];
  readonly #records = new Map<string, { fields: RecordFields; stored: Buffer }>();
  readonly #hash: Hash = createHash('sha256');
  #bytes: number;

  constructor(repositoryId: string) {
    this.#header = encodePackHeader(repositoryId);
    this.#parts = [this.#header];
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
    const header = encodeRecordHeader(fields);
    // Copied, because a slice would keep alive the much larger block it was cut from.
    const kept = Buffer.from(stored);
    for (const part of [header, kept]) {
      this.#parts.push(part);
      this.#hash.update(part);
    }
    this.#bytes += RECORD_HEADER_BYTES + stored.length;
    this.entries.push(entry);
    this.#records.set(fields.id, { fields, stored: kept });
    return entry;
  }

  /** A record appended before. */
  record(id: string): { fields: RecordFields; stored: Buffer } | null {
    return this.#records.get(id) ?? null;
  }

  /** The whole file in parts, and its name. Nothing may be appended afterwards. */
  finish(): { name: string; parts: readonly Buffer[]; bytes: number } {
    const end = encodePackEnd(this.#header, this.entries);
    const name = this.#hash.copy().update(end).digest('hex');
    return { name, parts: [...this.#parts, end], bytes: this.#bytes + end.length };
  }
}
