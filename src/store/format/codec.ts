import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { decompress as decompressZstdPortably } from 'fzstd';
import { cannot } from '../../kernel/errors.ts';
import type { RecordCodec } from './record.ts';

/** Codecs of records. Every reader reads every codec; what a writer may use depends on its runtime. */

type AsyncCodec = (input: Uint8Array, options: object) => Promise<Buffer>;

/** The part of node:zlib that newer runtimes add (Node ≥ 22.15). */
interface ZstdRuntime {
  zstdCompress?: (...parameters: unknown[]) => void;
  zstdDecompress?: (...parameters: unknown[]) => void;
}

const runtime = zlib as unknown as ZstdRuntime;
const brotliCompress = promisify(zlib.brotliCompress) as AsyncCodec;
const brotliDecompress = promisify(zlib.brotliDecompress) as AsyncCodec;
const zstdCompress =
  runtime.zstdCompress === undefined ? null : (promisify(runtime.zstdCompress) as AsyncCodec);
const zstdDecompress =
  runtime.zstdDecompress === undefined ? null : (promisify(runtime.zstdDecompress) as AsyncCodec);

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

// Objects are 64 KiB: a larger window only costs memory. Quality 1 is the knee between speed and size.
const BROTLI_OPTIONS = {
  params: {
    [zlib.constants.BROTLI_PARAM_QUALITY]: 1,
    [zlib.constants.BROTLI_PARAM_LGWIN]: 16,
  },
  chunkSize: 68 * 1024,
};

/** Compressed bytes, or the input itself where the codec does not make it smaller. */
export async function compress(
  codec: RecordCodec,
  plain: Buffer,
): Promise<{ codec: RecordCodec; stored: Buffer }> {
  if (codec === 'none') return { codec: 'none', stored: plain };
  const stored =
    codec === 'brotli'
      ? await brotliCompress(plain, BROTLI_OPTIONS)
      : await zstdCompress!(plain, {});
  return stored.length < plain.length ? { codec, stored } : { codec: 'none', stored: plain };
}

/**
 * Exactly `plainBytes` of plaintext. Output is bounded by that length while decoding.
 * @throws whatever the decoder throws, or VERIFY_FAILED when the length differs
 */
export async function decompress(
  codec: RecordCodec,
  stored: Buffer,
  plainBytes: number,
): Promise<Buffer> {
  const plain = await decode(codec, stored, plainBytes);
  if (plain.length !== plainBytes) {
    throw cannot('VERIFY_FAILED', 'decode record', codec, `${plain.length} of ${plainBytes} bytes`);
  }
  return plain;
}

function decode(codec: RecordCodec, stored: Buffer, plainBytes: number): Promise<Buffer> | Buffer {
  const options = { maxOutputLength: plainBytes, chunkSize: Math.max(64, plainBytes) };
  switch (codec) {
    case 'none':
      return stored;
    case 'brotli':
      return brotliDecompress(stored, options);
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
