import type { RecordKey } from '../encryption/record-seal.ts';
import { SEALED_EXTRA_BYTES } from '../format/bounds.ts';
import type { RecordCodec, RecordFields } from '../format/record.ts';
import type { LentBlock } from './lent-block.ts';

/** Work on bytes alone: no files, no state, the same result wherever it is done. */
export type ByteTask =
  | CompressTask
  | SealTask
  | DecodeTask
  | DeltaTask
  | HashTask
  | ChunkIdsTask
  | RecordRunTask;

export interface CompressTask {
  readonly kind: 'compress';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
  /** Seals what it was compressed to, where it is known what record it becomes. */
  readonly seal?: Sealing;
}

export interface Sealing {
  readonly key: RecordKey;
  /** What the record says of itself, codec and lengths apart. */
  readonly record: Pick<RecordFields, 'id' | 'base' | 'kind'>;
}

/** Seals what was compressed before. */
export interface SealTask {
  readonly kind: 'seal';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
  readonly plainBytes: number;
  readonly seal: Sealing;
}

export interface DecodeTask {
  readonly kind: 'decode';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
  readonly plainBytes: number;
  /** `plain`: the plaintext; `id`: its object id alone; `both`. */
  readonly wanted: 'plain' | 'id' | 'both';
  /** Memory that threads see, of `plainBytes`, for the plaintext: the result is then always this. */
  readonly into?: Buffer;
  /** The key of object ids, where the repository is encrypted. */
  readonly idKey?: Uint8Array | null;
  /** How `bytes` are opened before they are decoded; null: they are not sealed. */
  readonly opening?: Opening | null;
  /** The full record with which what is decoded is XORed. Its own id is not looked at: the result's is. */
  readonly base?: BaseRecord;
}

export type BaseRecord = Pick<DecodeTask, 'codec' | 'bytes' | 'plainBytes' | 'opening'>;

export interface Opening {
  readonly key: RecordKey;
  readonly fields: RecordFields;
}

/** SHA-256 of all bytes. */
export interface HashTask {
  readonly kind: 'hash';
  readonly bytes: Buffer;
}

/** The ids of the chunks that a block is cut into. */
export interface ChunkIdsTask {
  readonly kind: 'chunk-ids';
  readonly bytes: Buffer;
  /** The key of object ids, where the repository is encrypted. */
  readonly idKey: Uint8Array | null;
}

/** What an object differs by from its base, compressed. */
export interface DeltaTask {
  readonly kind: 'delta';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
  readonly base: BaseRecord;
  readonly baseId: string;
  /** The key of object ids, where the repository is encrypted. */
  readonly idKey: Uint8Array | null;
}

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

export interface ByteResult {
  /** Null where the result is the input itself, or where only the id is wanted. */
  readonly bytes: Buffer | null;
  /** Of a compressed object: `none` where the input is to be stored as it is. */
  readonly codec: RecordCodec;
  /** Lower-case hex, where wanted. */
  readonly id: string | null;
  /** Of tasks about many objects, in their order. */
  readonly ids?: readonly (string | null)[];
  /** What lends `bytes`, held for this result: to be released once they were used, or dropped. */
  readonly block?: LentBlock;
}

/** The most that a task's result may be long, where it is not null. */
export function resultBytesMax(task: ByteTask): number {
  if (task.kind === 'seal') return task.bytes.length + SEALED_EXTRA_BYTES;
  if (task.kind === 'compress') {
    if (task.seal !== undefined) return task.bytes.length + SEALED_EXTRA_BYTES;
    return task.codec === 'none' ? 0 : task.bytes.length;
  }
  if (task.kind === 'delta') return task.bytes.length;
  if (task.kind !== 'decode' || task.wanted === 'id' || task.into !== undefined) return 0;
  const isInput = task.codec === 'none' && !task.opening && task.base === undefined;
  return isInput ? 0 : task.plainBytes;
}

/** How much work it is, in bytes of plaintext. */
export function workBytes(task: ByteTask): number {
  if (task.kind === 'records') return task.plainBytes;
  if (task.kind === 'delta') return task.bytes.length + task.base.plainBytes;
  if (task.kind !== 'decode') return task.bytes.length;
  return task.plainBytes + (task.base?.plainBytes ?? 0);
}

/** All that a task reads, in the order in which it is sent. */
export function inputsOf(task: ByteTask): readonly Buffer[] {
  if (task.kind === 'records') return task.records;
  const base = 'base' in task ? task.base : undefined;
  return base === undefined ? [task.bytes] : [task.bytes, base.bytes];
}
