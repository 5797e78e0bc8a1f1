import { hash } from 'node:crypto';
import { compress, decompress } from '../format/codec.ts';
import { objectId } from '../format/object-id.ts';
import type { RecordCodec } from '../format/record.ts';

/** Work on bytes alone: no files, no state, the same result wherever it is done. */
export type ByteTask = CompressTask | DecodeTask | HashTask;

export interface CompressTask {
  readonly kind: 'compress';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
}

export interface DecodeTask {
  readonly kind: 'decode';
  readonly codec: RecordCodec;
  readonly bytes: Buffer;
  readonly plainBytes: number;
  /** `plain`: the plaintext; `id`: its object id alone; `both`. */
  readonly wanted: 'plain' | 'id' | 'both';
}

/** SHA-256 of all bytes. */
export interface HashTask {
  readonly kind: 'hash';
  readonly bytes: Buffer;
}

export interface ByteResult {
  /** Null where the result is the input itself, or where only the id is wanted. */
  readonly bytes: Buffer | null;
  /** Of a compressed object: `none` where the input is to be stored as it is. */
  readonly codec: RecordCodec;
  /** Lower-case hex, where wanted. */
  readonly id: string | null;
}

/** @throws what the codec throws */
export function performTask(task: ByteTask): ByteResult {
  switch (task.kind) {
    case 'hash':
      return { bytes: null, codec: 'none', id: hash('sha256', task.bytes, 'hex') };
    case 'compress': {
      const { codec, stored } = compress(task.codec, task.bytes);
      return { bytes: stored === task.bytes ? null : stored, codec, id: null };
    }
    case 'decode': {
      const plain = decompress(task.codec, task.bytes, task.plainBytes);
      const id = task.wanted === 'plain' ? null : objectId(plain);
      const isNew = plain !== task.bytes && task.wanted !== 'id';
      return { bytes: isNew ? plain : null, codec: 'none', id };
    }
  }
}

/** The most that a task's result may be long, where it is not null. */
export function resultBytesMax(task: ByteTask): number {
  if (task.kind === 'compress') return task.codec === 'none' ? 0 : task.bytes.length;
  if (task.kind === 'hash' || task.wanted === 'id' || task.codec === 'none') return 0;
  return task.plainBytes;
}

/** How much work it is, in bytes of plaintext. */
export function workBytes(task: ByteTask): number {
  return task.kind === 'decode' ? task.plainBytes : task.bytes.length;
}
