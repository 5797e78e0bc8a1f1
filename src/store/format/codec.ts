import * as zlib from 'node:zlib';
import { decompress as decompressZstdPortably } from 'fzstd';
import { cannot } from '../../kernel/errors.ts';
import type { RecordCodec } from './record.ts';

/** Codecs of records. Every reader reads every codec; what a writer may use depends on its runtime. */

type RuntimeCodec = (input: Uint8Array, options: object) => Buffer;

/** The part of node:zlib that newer runtimes add (Node ≥ 22.15). */
interface ZstdRuntime {
  zstdCompressSync?: RuntimeCodec;
  zstdDecompressSync?: RuntimeCodec;
}

const { zstdCompressSync: zstdCompress = null, zstdDecompressSync: zstdDecompress = null } =
  zlib as unknown as ZstdRuntime;

/** The codec a writer uses for a setting. @throws CAPABILITY_REQUIRED for zstd where the runtime lacks it */
export function chooseCodec(setting: 'auto' | RecordCodec): RecordCodec {
  if (setting === 'auto') return zstdCompress === null ? 'brotli' : 'zstd';
  if (setting === 'zstd' && zstdCompress === null) {
    throw cannot('CAPABILITY_REQUIRED', 'write with codec', 'zstd', 'this runtime lacks it', {
      hint: 'Use codec auto or brotli, or run on Node 22.15 or newer.',
    });
  }
  return setting;
}

// Quality 1 is the knee between speed and size. Objects are 64 KiB, but a window of that size is set up more slowly
// than the next larger ones. Called synchronously: a stream for each object costs more than compressing it.
const BROTLI_PARAMETERS = {
  [zlib.constants.BROTLI_PARAM_QUALITY]: 1,
  [zlib.constants.BROTLI_PARAM_LGWIN]: 18,
};
/** Of memory for the output; zlib takes no less. */
const OUTPUT_BYTES_MIN = 64;

/** What is longer than its input is thrown away, so that there is rarely need for a second piece. */
const brotliOptions = (plainBytes: number): object => ({
  params: BROTLI_PARAMETERS,
  chunkSize: Math.max(OUTPUT_BYTES_MIN, plainBytes),
});

/** Compressed bytes, or the input itself where the codec does not make it smaller. */
export function compress(
  codec: RecordCodec,
  plain: Buffer,
): { codec: RecordCodec; stored: Buffer } {
  if (codec === 'none') return { codec: 'none', stored: plain };
  const stored =
    codec === 'brotli'
      ? zlib.brotliCompressSync(plain, brotliOptions(plain.length))
      : zstdCompress!(plain, {});
  return stored.length < plain.length ? { codec, stored } : { codec: 'none', stored: plain };
}

/**
 * Exactly `plainBytes` of plaintext. Output is bounded by that length while decoding.
 * @throws whatever the decoder throws, or VERIFY_FAILED when the length differs
 */
export function decompress(codec: RecordCodec, stored: Buffer, plainBytes: number): Buffer {
  const plain = decode(codec, stored, plainBytes);
  if (plain.length !== plainBytes) {
    throw cannot('VERIFY_FAILED', 'decode record', codec, `${plain.length} of ${plainBytes} bytes`);
  }
  return plain;
}

function decode(codec: RecordCodec, stored: Buffer, plainBytes: number): Buffer {
  const options = {
    maxOutputLength: plainBytes,
    chunkSize: Math.max(OUTPUT_BYTES_MIN, plainBytes),
  };
  switch (codec) {
    case 'none':
      return stored;
    case 'brotli':
      return zlib.brotliDecompressSync(stored, options);
    case 'zstd':
      return zstdDecompress === null
        ? decodeZstdPortably(stored, plainBytes)
        : zstdDecompress(stored, options);
  }
}

/** For runtimes without zstd. The decoder writes into a buffer of the right size and cannot grow it. */
export function decodeZstdPortably(stored: Buffer, plainBytes: number): Buffer {
  const plain = Buffer.alloc(plainBytes);
  decompressZstdPortably(stored, plain);
  return plain;
}
