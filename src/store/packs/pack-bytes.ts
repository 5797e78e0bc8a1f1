import { type FileHandle, open } from 'node:fs/promises';
import { beforeRead } from '../../files/bandwidth.ts';
import { PACK_BYTES_TARGET } from '../format/bounds.ts';

/** Kept for the next pack: a new one would first be filled with zeros. */
const KEPT_MAX = 2;
/** All but odd packs fit, so that memory for one serves for any. */
const USUAL_BYTES = PACK_BYTES_TARGET + 2 * 1024 * 1024;
const kept: SharedArrayBuffer[] = [];

/**
 * Lends the bytes of a pack file, in memory that threads can see. Nothing of it may be used once `run` is over.
 * @throws system errors of reading, and what `run` throws
 */
export async function withPackBytes<Result>(
  path: string,
  run: (pack: Buffer) => Promise<Result>,
): Promise<Result> {
  const handle = await open(path, 'r');
  let memory: SharedArrayBuffer | null = null;
  try {
    const { size } = await handle.stat();
    await beforeRead(size);
    memory = takeMemory(size);
    const pack = await readWhole(handle, Buffer.from(memory, 0, size));
    return await run(pack);
  } finally {
    if (memory !== null) giveBack(memory);
    await handle.close();
  }
}

function takeMemory(bytes: number): SharedArrayBuffer {
  if (bytes > USUAL_BYTES) return new SharedArrayBuffer(bytes);
  return kept.pop() ?? new SharedArrayBuffer(USUAL_BYTES);
}

function giveBack(memory: SharedArrayBuffer): void {
  if (memory.byteLength === USUAL_BYTES && kept.length < KEPT_MAX) kept.push(memory);
}

/** Shorter where the file was cut meanwhile. */
async function readWhole(handle: FileHandle, pack: Buffer): Promise<Buffer> {
  let done = 0;
  while (done < pack.length) {
    const { bytesRead } = await handle.read(pack, done, pack.length - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return pack.subarray(0, done);
}
