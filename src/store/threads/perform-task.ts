import { hash } from 'node:crypto';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import { sealedFields, sealRecord } from '../encryption/record-seal.ts';
import { compress } from '../format/codec.ts';
import { objectId } from '../format/object-id.ts';
import type { RecordCodec } from '../format/record.ts';
import type { ByteResult, ByteTask, ChunkIdsTask, Sealing } from './byte-task.ts';
import { decodeTask } from './decode.ts';
import { makeDelta } from './make-delta.ts';
import { runIds } from './record-run.ts';

/** `room`: memory at the beginning of which the result may stand. @throws what the codec throws */
export function performTask(task: ByteTask, room?: Buffer): ByteResult {
  switch (task.kind) {
    case 'hash':
      return { bytes: null, codec: 'none', id: hash('sha256', task.bytes, 'hex') };
    case 'chunk-ids':
      return { bytes: null, codec: 'none', id: null, ids: chunkIds(task) };
    case 'records':
      return { bytes: null, codec: 'none', id: null, ids: runIds(task) };
    case 'compress': {
      const isResult = task.seal === undefined;
      const { codec, stored } = compress(task.codec, task.bytes, isResult ? room : undefined);
      if (task.seal !== undefined) return sealed(task.seal, codec, stored, task.bytes.length);
      return { bytes: stored === task.bytes ? null : stored, codec, id: null };
    }
    case 'delta':
      return makeDelta(task);
    case 'seal':
      return sealed(task.seal, task.codec, task.bytes, task.plainBytes);
    case 'decode': {
      const plain = decodeTask(task);
      const id = task.wanted === 'plain' ? null : objectId(plain, task.idKey ?? null);
      const isResult = task.wanted !== 'id' && plain !== task.bytes;
      return { bytes: isResult ? plain : null, codec: 'none', id };
    }
  }
}

function chunkIds({ bytes, idKey }: ChunkIdsTask): string[] {
  const count = Math.ceil(bytes.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, index) =>
    objectId(bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES), idKey),
  );
}

function sealed(
  { key, record }: Sealing,
  codec: RecordCodec,
  stored: Buffer,
  plainBytes: number,
): ByteResult {
  const storedBytes = stored.length;
  const fields = sealedFields({ ...record, codec, plainBytes, storedBytes, encrypted: true });
  return { bytes: sealRecord(key, fields, stored), codec, id: null };
}
