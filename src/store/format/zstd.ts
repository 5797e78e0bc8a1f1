import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { decompress as decompressPortably } from 'fzstd';

/** Zstandard, by whatever is there: the runtime (Node ≥ 22.15), the addon, or for reading alone, plain JavaScript. */
export interface Zstd {
  /** In memory of its own, or at the beginning of `room` where that is large enough for any outcome. */
  compress(plain: Buffer, room?: Buffer): Buffer;
  /**
   * Never writes beyond `target`.
   * @returns how many bytes it was
   * @throws whatever the decoder throws, also where the content is longer
   */
  decompressInto(stored: Buffer, target: Buffer): number;
}

/**
 * Rows of a database, 64 KiB at a time: level 2 is smaller than brotli's quickest level at half its time, level 3 not
 * measurably smaller at half as much again. Decoding costs the same (docs/performance.md).
 */
const LEVEL = 2;

/** What reads and writes zstd here; null where nothing does. Found once. */
export function nativeZstd(): Zstd | null {
  found ??= { zstd: fromRuntime(zlib as unknown as ZlibWithZstd) ?? fromAddon() };
  return found.zstd;
}
let found: { readonly zstd: Zstd | null } | undefined;

/** The part of node:zlib that newer runtimes add. */
interface ZlibWithZstd {
  readonly zstdCompressSync?: (input: Uint8Array, options: object) => Buffer;
  readonly zstdDecompressSync?: (input: Uint8Array, options: object) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel?: number };
}

function fromRuntime({
  zstdCompressSync: compress,
  zstdDecompressSync: decompress,
  constants: { ZSTD_c_compressionLevel: levelParameter },
}: ZlibWithZstd): Zstd | null {
  if (compress === undefined || decompress === undefined || levelParameter === undefined)
    return null;
  return {
    compress: (plain) => compress(plain, { params: { [levelParameter]: LEVEL } }),
    decompressInto: (stored, target) =>
      decompress(stored, {
        maxOutputLength: target.length,
        chunkSize: Math.max(OUTPUT_BYTES_MIN, target.length),
      }).copy(target),
  };
}
/** Of memory for the output; zlib takes no less. */
export const OUTPUT_BYTES_MIN = 64;

/** Contexts are used again and again by the one thread that has them. */
function fromAddon(): Zstd | null {
  const addon = loadAddon();
  if (addon === null) return null;
  const compression = new addon.CCtx();
  const decompression = new addon.DCtx();
  let output = Buffer.alloc(0);
  return {
    compress(plain, room) {
      const bytesMax = addon.compressBound(plain.length);
      if (room !== undefined && room.length >= bytesMax) {
        return room.subarray(0, compression.compress(room, plain, LEVEL));
      }
      if (output.length < bytesMax) output = Buffer.allocUnsafeSlow(bytesMax);
      const bytes = compression.compress(output, plain, LEVEL);
      return Buffer.from(output.subarray(0, bytes));
    },
    decompressInto: (stored, target) => decompression.decompress(target, stored),
  };
}

type Addon = typeof import('zstd-napi/binding.js');

/** An optional package: null where it was not installed, or is of another Node. */
function loadAddon(): Addon | null {
  try {
    return createRequire(import.meta.url)('zstd-napi/binding.js') as Addon;
  } catch {
    return null;
  }
}

/**
 * For hosts that have neither. The decoder writes into memory of the right size and cannot grow it; it does not tell
 * where content is shorter, whose hash then differs.
 */
export function decompressZstdPortably(stored: Buffer, target: Buffer): number {
  decompressPortably(stored, target.fill(0));
  return target.length;
}
