import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../kernel/errors.ts';
import type { ArchiveEntry } from './archive-entry.ts';
import {
  ArchiveScratch,
  bytesOfArchive,
  directoryEntry,
  fileEntry,
  linkEntry,
} from './testing/archive-scratch.ts';

const MUTATIONS = Number(process.env['HOLDFAST_TEST_MUTATIONS'] ?? 300);

const ENTRIES: readonly ArchiveEntry[] = [
  directoryEntry('data'),
  fileEntry('data/a.txt', 'alpha '.repeat(100)),
  fileEntry(`data/${'long'.repeat(40)}`, 'long'),
  fileEntry('data/größe', ''),
  linkEntry('data/link', '../a.txt'),
  fileEntry('data/large', Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7919) >> 3))),
];

let scratch: ArchiveScratch;

beforeAll(async () => {
  scratch = await ArchiveScratch.make();
});

afterAll(async () => {
  await scratch.remove();
});

interface Edit {
  readonly kind: 'set' | 'flip' | 'remove' | 'repeat';
  readonly at: number;
  readonly value: number;
  readonly bytes: number;
}

/** Positions lean to the two ends, where zip and tar have their headers. */
const position = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 0.05, noNaN: true }),
  fc.double({ min: 0.98, max: 1, noNaN: true }),
);
const edit = fc.record({
  kind: fc.constantFrom('set' as const, 'flip' as const, 'remove' as const, 'repeat' as const),
  at: position,
  value: fc.oneof(fc.constantFrom(0, 0xff, 0x2f, 0x2e, 0x37), fc.integer({ min: 0, max: 255 })),
  bytes: fc.integer({ min: 1, max: 600 }),
});

function mutate(original: Buffer, edits: readonly Edit[]): Buffer {
  let bytes = Buffer.from(original);
  for (const { kind, at, value, bytes: length } of edits) {
    const index = Math.min(Math.floor(at * bytes.length), bytes.length - 1);
    if (kind === 'set') bytes[index] = value;
    else if (kind === 'flip') bytes[index]! ^= 1 << (value & 7);
    else {
      const [head, piece] = [bytes.subarray(0, index), bytes.subarray(index, index + length)];
      const tail = bytes.subarray(kind === 'remove' ? index + length : index);
      bytes = Buffer.concat(kind === 'remove' ? [head, tail] : [head, piece, tail]);
    }
  }
  return bytes;
}

describe('archives with any bytes changed', () => {
  it.each(['tar', 'tar.gz', 'zip'] as const)(
    `T-34, Z-D6: ${MUTATIONS} changes of %s end in a tree or in a typed error, and leave nothing else`,
    async (format) => {
      const original = await bytesOfArchive(ENTRIES, format);
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
          const path = await scratch.file(mutate(original, edits));
          const before = await readdir(scratch.root);
          const failure = await scratch.extract(path).then(
            () => null,
            (error: unknown) => error,
          );
          const after = await readdir(scratch.root);
          if (failure === null) expect(after).toHaveLength(before.length + 1);
          else {
            refused += 1;
            expect(failure).toBeInstanceOf(HoldfastError);
            expect((failure as HoldfastError).code).toMatch(
              /^(PATH_UNSAFE|LIMIT_EXCEEDED|VERIFY_FAILED|UNSUPPORTED_FORMAT)$/,
            );
            expect(after).toEqual(before);
          }
          await scratch.clear();
        }),
        { numRuns: MUTATIONS },
      );
      expect(refused).toBeGreaterThan(MUTATIONS / 10);
    },
  );
});
