import { openRecord } from '../encryption/record-seal.ts';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import { decompress } from '../format/codec.ts';
import type { RecordCodec } from '../format/record.ts';
import { xorInPlace } from '../format/xor.ts';
import type { BaseRecord, DecodeTask } from './byte-task.ts';

/** Opened and decompressed. @throws what the codec throws */
export function decode({ opening, codec, bytes, plainBytes }: BaseRecord, target?: Buffer): Buffer {
  const stored = opening ? openRecord(opening.key, opening.fields, bytes) : bytes;
  return decompress(codec, stored, plainBytes, target);
}

/** The plaintext of a record, or of a delta on its base. @throws what the codec throws */
export function decodeTask(task: DecodeTask): Buffer {
  return task.base === undefined ? decode(task, targetOf(task)) : decodeDelta(task);
}

/** Where a task's plaintext goes; undefined: into memory of its own. */
function targetOf({ codec, wanted, into, plainBytes }: DecodeTask): Buffer | undefined {
  return wanted === 'id' ? hashingTarget(codec, plainBytes) : into;
}

/** For what is only hashed: it goes where the last one was, if its codec can be told where. */
export function hashingTarget(codec: RecordCodec, plainBytes: number): Buffer | undefined {
  return codec === 'zstd' ? scratches.plain.take(plainBytes) : undefined;
}

function decodeDelta({ base, ...task }: DecodeTask): Buffer {
  const { wanted, into, plainBytes } = task;
  const target = wanted === 'id' ? scratches.plain.take(plainBytes) : into;
  const difference = decode(task, target ?? Buffer.allocUnsafeSlow(plainBytes));
  xorInPlace(difference, decode(base!, scratches.base.take(base!.plainBytes)));
  return difference;
}

/** Memory for plaintext that nobody asks for. */
class Scratch {
  #memory = Buffer.alloc(0);

  /** What was taken before is gone. Memory of its own where an object is larger than any should be. */
  take(bytes: number): Buffer {
    if (bytes > OBJECT_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    if (this.#memory.length < bytes) this.#memory = Buffer.allocUnsafeSlow(bytes);
    return this.#memory.subarray(0, bytes);
  }
}

/** Of this thread. */
export const scratches = { plain: new Scratch(), base: new Scratch() };
