import { createHash } from 'node:crypto';
import { brotliCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { noiseBytes, rowBytes } from '../testing/scratch-repository.ts';
import { ZSTD_FRAME, zstdBomb, zstdFramePlain } from '../testing/zstd-frame.ts';
import { chooseCodec, compress, decompress } from './codec.ts';
import { decompressZstdPortably, nativeZstd } from './zstd.ts';

function decodeZstdPortably(stored: Buffer, plainBytes: number): Buffer {
  const target = Buffer.alloc(plainBytes);
  decompressZstdPortably(stored, target);
  return target;
}

describe('compress() and decompress()', () => {
  it.each(['none', 'brotli', 'zstd'] as const)('%s gives back what it took', (codec) => {
    for (const plain of [
      rowBytes(65_536),
      noiseBytes(65_536),
      Buffer.from([7]),
      Buffer.alloc(65_536),
    ]) {
      const { codec: used, stored } = compress(codec, plain);
      expect(stored.length).toBeLessThanOrEqual(plain.length);
      expect(decompress(used, stored, plain.length).equals(plain)).toBe(true);
    }
  });

  it('stores bytes that do not compress as they are', () => {
    const plain = noiseBytes(10_000);
    expect(compress('brotli', plain)).toEqual({ codec: 'none', stored: plain });
  });

  it('reads a frame of the reference zstd encoder on every runtime', () => {
    const plain = zstdFramePlain();
    expect(decodeZstdPortably(ZSTD_FRAME, plain.length)).toEqual(plain);
    expect(decompress('zstd', ZSTD_FRAME, plain.length)).toEqual(plain);
  });

  it('what this host writes as zstd is read where there is nothing but JavaScript', () => {
    for (const plain of [rowBytes(65_536), Buffer.alloc(65_536), Buffer.from('a'.repeat(100))]) {
      const { codec, stored } = compress('zstd', plain);
      expect(codec).toBe('zstd');
      expect(decodeZstdPortably(stored, plain.length).equals(plain)).toBe(true);
    }
  });

  it.each(['none', 'brotli', 'zstd'] as const)(
    '%s: decodes into the memory that is given, beside what stands there',
    (codec) => {
      const plain = rowBytes(10_000);
      const compressed = compress(codec, plain);
      const memory = Buffer.from(new SharedArrayBuffer(65_536)).fill(7);
      compressed.stored.copy(memory);
      const stored = memory.subarray(0, compressed.stored.length);
      const target = memory.subarray(20_000, 30_000);
      expect(decompress(compressed.codec, stored, plain.length, target)).toBe(target);
      expect(target.equals(plain)).toBe(true);
      expect(stored.equals(compressed.stored)).toBe(true);
      expect(memory.subarray(30_000).every((byte) => byte === 7)).toBe(true);
    },
  );

  it('refuses content that is shorter or longer than the record declares', () => {
    for (const codec of ['brotli', 'zstd'] as const) {
      const { stored } = compress(codec, rowBytes(10_000));
      expect(() => decompress(codec, stored, 9_999), codec).toThrow();
      expect(() => decompress(codec, stored, 10_001), codec).toThrow();
    }
  });
});

describe('decompression bombs', () => {
  it('Z-D35: brotli stops at the length that the record declares', () => {
    const bomb = brotliCompressSync(Buffer.alloc(128 * 1024 * 1024), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
    });
    expect(bomb.length).toBeLessThan(50_000);
    const before = process.memoryUsage().rss;
    expect(() => decompress('brotli', bomb, 65_536)).toThrow();
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('Z-D35: zstd never writes beyond the length that the record declares', () => {
    const bomb = zstdBomb(256);
    const before = process.memoryUsage().rss;
    const attempt = (): number => {
      try {
        return decompress('zstd', bomb, 65_536).length;
      } catch {
        return 0;
      }
    };
    expect(attempt()).toBeLessThanOrEqual(65_536);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('zstd: no damaged frame decodes to something that passes for the original', () => {
    const plain = zstdFramePlain();
    const hash = createHash('sha256').update(plain).digest('hex');
    for (let at = 0; at < ZSTD_FRAME.length; at += 7) {
      const frame = Buffer.from(ZSTD_FRAME);
      frame[at]! ^= 0x10;
      let decoded: Buffer;
      try {
        decoded = decodeZstdPortably(frame, plain.length);
      } catch {
        continue;
      }
      expect(decoded).toHaveLength(plain.length);
      const same = createHash('sha256').update(decoded).digest('hex') === hash;
      // Only the frame's own checksum and header hints may change without changing the content.
      if (same) expect(at < 12 || at >= ZSTD_FRAME.length - 4).toBe(true);
    }
  });
});

describe('chooseCodec()', () => {
  it('takes what the runtime has, and says so where it lacks the one asked for', () => {
    expect(chooseCodec('none')).toBe('none');
    expect(chooseCodec('auto')).toBe(nativeZstd() === null ? 'brotli' : 'zstd');
    if (nativeZstd() !== null) expect(chooseCodec('zstd')).toBe('zstd');
    else
      expect(() => chooseCodec('zstd')).toThrow(
        expect.objectContaining({ code: 'CAPABILITY_REQUIRED' }),
      );
  });
});
