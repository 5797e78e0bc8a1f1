import * as zlib from 'node:zlib';
import { cannot } from '../../kernel/errors.ts';
import type { RecordCodec } from './record.ts';
import { decompressZstdPortably, nativeZstd, OUTPUT_BYTES_MIN } from './zstd.ts';

/** Codecs of records. Every reader reads every codec; what a writer may use depends on its host. */

/** The codec a writer uses for a setting. @throws CAPABILITY_REQUIRED for zstd where the host lacks it */
export function chooseCodec(setting: 'auto' | RecordCodec): RecordCodec {
  if (setting === 'auto') return nativeZstd() === null ? 'brotli' : 'zstd';
  if (setting === 'zstd' && nativeZstd() === null) {
    throw cannot('CAPABILITY_REQUIRED', 'write with codec', 'zstd', 'this host lacks it', {
      hint: 'Use codec auto or brotli, install the optional package zstd-napi, or run on Node 22.15 or newer.',
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

/** What is longer than its input is thrown away, so that there is rarely need for a second piece. */
const brotliOptions = (plainBytes: number): object => ({
  params: BROTLI_PARAMETERS,
  chunkSize: Math.max(OUTPUT_BYTES_MIN, plainBytes),
});

/**
 * Compressed bytes, or the input itself where the codec does not make it smaller. `room`: memory that the result may
 * stand at the beginning of; it is undefined then what else is in it.
 */
export function compress(
  codec: RecordCodec,
  plain: Buffer,
  room?: Buffer,
): { codec: RecordCodec; stored: Buffer } {
  if (codec === 'none') return { codec: 'none', stored: plain };
  const stored =
    codec === 'brotli'
      ? zlib.brotliCompressSync(plain, brotliOptions(plain.length))
      : nativeZstd()!.compress(plain, room);
  return stored.length < plain.length ? { codec, stored } : { codec: 'none', stored: plain };
}

/**
 * Exactly `plainBytes` of plaintext, in memory of its own (the input itself, where it was not compressed) or in
 * `target`, which is that long. Output is bounded by that length while decoding.
 * @throws whatever the decoder throws, or VERIFY_FAILED when the length differs; what `target` holds is then undefined
 */
export function decompress(
  codec: RecordCodec,
  stored: Buffer,
  plainBytes: number,
  target?: Buffer,
): Buffer {
  const plain = decode(codec, stored, plainBytes, target);
  if (plain.length !== plainBytes) {
    throw cannot('VERIFY_FAILED', 'decode record', codec, `${plain.length} of ${plainBytes} bytes`);
  }
  if (target === undefined || isSameMemory(plain, target)) return plain;
  plain.copy(target);
  return target;
}

const isSameMemory = (one: Buffer, other: Buffer): boolean =>
  one.buffer === other.buffer && one.byteOffset === other.byteOffset;

function decode(codec: RecordCodec, stored: Buffer, plainBytes: number, target?: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return stored;
    case 'brotli':
      return zlib.brotliDecompressSync(stored, {
        maxOutputLength: plainBytes,
        chunkSize: Math.max(OUTPUT_BYTES_MIN, plainBytes),
      });
    case 'zstd': {
      const plain = target ?? Buffer.allocUnsafeSlow(plainBytes);
      const decompressInto = nativeZstd()?.decompressInto ?? decompressZstdPortably;
      const bytes = decompressInto(stored, plain);
      return bytes === plainBytes ? plain : plain.subarray(0, bytes);
    }
  }
}
