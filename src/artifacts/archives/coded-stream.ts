import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { unsupported } from './archive-refusal.ts';
import { startProgram, throughProgram } from './coding-program.ts';
import { feed } from './feed-stream.ts';
import { portableUnzstd, ZSTD_WINDOW_BYTES_MAX } from './portable-zstd.ts';

/** Compression of whole streams, with back-pressure: no more than a few pieces are under way at any time. */

/** What newer runtimes have (Node ≥ 22.15). */
interface ZstdRuntime {
  readonly createZstdCompress?: () => Transform;
  readonly createZstdDecompress?: () => Transform;
}

const runtime = zlib as unknown as ZstdRuntime;

const PIECE_BYTES = 64 * 1024;

/** Reads `source` through `transform`; an error of either is the error of the result. */
export async function* throughTransform(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncGenerator<Buffer, void> {
  const feeding = feed(source, transform);
  try {
    for await (const piece of transform) yield piece as Buffer;
  } finally {
    transform.destroy();
    await feeding;
  }
}

export function gzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  return throughTransform(source, zlib.createGzip({ chunkSize: PIECE_BYTES }));
}

/** Any number of members, one after another. */
export function gunzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  return throughTransform(source, zlib.createGunzip({ chunkSize: PIECE_BYTES }));
}

/** @throws UNSUPPORTED_FORMAT where neither this runtime nor a program can */
export async function* zstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const { createZstdCompress } = runtime;
  if (createZstdCompress !== undefined) {
    yield* throughTransform(source, createZstdCompress());
    return;
  }
  const program = await startProgram('zstd', ['-q', '-c', '--no-progress']);
  if (program === null) {
    const hint = 'Install the program zstd, or write tar.gz.';
    throw unsupported('tar.zst', 'nothing here can compress zstd', hint);
  }
  yield* throughProgram(source, program);
}

/** Any number of frames. A program is as good as the runtime; without either, it is decoded more slowly. */
export async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const { createZstdDecompress } = runtime;
  if (createZstdDecompress !== undefined) {
    yield* throughTransform(source, createZstdDecompress());
    return;
  }
  const memory = `--memory=${ZSTD_WINDOW_BYTES_MAX / 1024 / 1024}MB`;
  const program = await startProgram('zstd', ['-q', '-d', '-c', memory]);
  yield* program === null ? portableUnzstd(source) : throughProgram(source, program);
}
