import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../kernel/errors.ts';
import { portableUnzstd } from './portable-zstd.ts';
import {
  ArchiveScratch,
  bytesOfArchive,
  collect,
  each,
  fileEntry,
  hasProgram,
} from './testing/archive-scratch.ts';

const hasZstd = await hasProgram('zstd');

let scratch: ArchiveScratch;
const path = process.env['PATH'];

beforeEach(async () => {
  scratch = await ArchiveScratch.make();
});

afterEach(async () => {
  process.env['PATH'] = path;
  await scratch.remove();
});

const zstd = (input: Buffer, ...options: string[]): Buffer =>
  execFileSync('zstd', ['-q', '-c', ...options], { input, maxBuffer: 2 ** 28 });

/** In pieces of a size that does not fit anything. */
function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1237) yield bytes.subarray(at, at + 1237);
}

const decode = (bytes: Buffer): Promise<Buffer> => collect(portableUnzstd(each(inPieces(bytes))));

/** A frame of one block that repeats one byte, with the window descriptor given. */
const frame = (window: number, byte = 0x61): Buffer =>
  Buffer.from([
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0,
    window,
    ((100 << 3) | 3) & 0xff,
    (100 << 3) >> 8,
    0,
    byte,
  ]);

describe('zstd without a program', () => {
  it.skipIf(!hasZstd)(
    'F22: decodes what zstd makes, at any level, of any number of frames',
    async () => {
      const noise = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at * 7919) >> 5));
      const text = Buffer.from('some text that repeats, '.repeat(40_000));
      const sizes = [Buffer.alloc(0), Buffer.from('x'), noise, text, Buffer.concat([text, noise])];
      for (const plain of sizes) {
        for (const options of [
          ['-1'],
          ['-19'],
          ['--no-check'],
          ['--long=24'],
          ['--no-content-size'],
        ]) {
          expect((await decode(zstd(plain, ...options))).equals(plain), options[0]).toBe(true);
        }
      }
      const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
      const frames = Buffer.concat([zstd(text), skippable, zstd(noise)]);
      expect((await decode(frames)).equals(Buffer.concat([text, noise]))).toBe(true);
    },
  );

  it('T-34: a window of gigabytes is refused, in whichever frame it is', async () => {
    expect((await decode(frame(0x10))).toString()).toBe('a'.repeat(100));
    for (const bytes of [frame(0xa8), Buffer.concat([frame(0x10), frame(0xff)])]) {
      await expect(decode(bytes)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
  });

  it('T-34: what ends early or is no zstd is refused', async () => {
    const whole = frame(0x10);
    for (let length = 1; length < whole.length; length += 1) {
      await expect(decode(whole.subarray(0, length))).rejects.toMatchObject({
        code: 'VERIFY_FAILED',
      });
    }
    await expect(decode(Buffer.concat([whole, Buffer.from('junk')]))).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
  });

  it.skipIf(!hasZstd)('T-34: any bytes changed end in bytes or in a typed error', async () => {
    const runs = Number(process.env['HOLDFAST_TEST_MUTATIONS'] ?? 300);
    const plain = Buffer.from(Array.from({ length: 40_000 }, (_, at) => (at * at) >> 7));
    const original = Buffer.concat([zstd(plain, '-3'), zstd(Buffer.from('text '.repeat(2000)))]);
    const edit = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of edits) bytes[Math.floor(at * (bytes.length - 1))] = value;
        const failure = await decode(bytes).then(
          () => null,
          (error: unknown) => error,
        );
        if (failure !== null) expect(failure).toBeInstanceOf(HoldfastError);
      }),
      { numRuns: runs },
    );
  });

  it.skipIf(!hasZstd)('F22: archives are read all the same, and not written', async () => {
    const entries = [fileEntry('a', 'alpha'), fileEntry('b', Buffer.alloc(300_000, 'beta'))];
    const archive = await scratch.archive(entries, 'tar.zst');
    process.env['PATH'] = scratch.root;
    const hasRuntime = 'createZstdCompress' in (await import('node:zlib'));
    const { directory, format } = await scratch.extract(archive);
    expect(format).toBe('tar.zst');
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('alpha');
    const writing = bytesOfArchive(entries, 'tar.zst');
    if (hasRuntime) await writing;
    else await expect(writing).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  });
});
