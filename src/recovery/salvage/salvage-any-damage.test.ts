import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { compare, History, PAGE_BYTES, randomOf } from './testing/history.ts';

let history: History;

beforeAll(() => {
  history = new History(1);
});
beforeEach(() => history.reset());
afterAll(() => history.remove());

async function salvaged(withSnapshot: boolean): Promise<string> {
  const { path } = await history.salvage(withSnapshot);
  expect(checkDatabase(path, 'full')).toMatchObject({ outcome: 'ok', messages: [] });
  return path;
}

describe('damage of any kind', () => {
  const KINDS: Readonly<
    Record<string, (bytes: Buffer, random: () => number) => Buffer | undefined>
  > = {
    'zeroed pages': (bytes, random) => {
      for (let count = 0; count < 6; count += 1) {
        const page = 1 + Math.floor(random() * (bytes.length / PAGE_BYTES - 1));
        bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      }
    },
    'flipped bits': (bytes, random) => {
      for (let count = 0; count < 40; count += 1) {
        const at = PAGE_BYTES + Math.floor(random() * (bytes.length - PAGE_BYTES));
        const start = at - (at % PAGE_BYTES);
        // Headers and pointers of trees: flipped text is text all the same.
        if (![2, 5, 10, 13].includes(bytes[start]!)) continue;
        bytes[start + Math.floor(random() * 12)]! ^= 1 << Math.floor(random() * 8);
      }
    },
    'a file cut short': (bytes, random) =>
      bytes.subarray(0, Math.floor(bytes.length * (0.3 + random() * 0.7))),
    'pages of garbage': (bytes, random) => {
      const start = PAGE_BYTES * Math.floor(1 + random() * (bytes.length / PAGE_BYTES - 8));
      for (let at = start; at < start + 7 * PAGE_BYTES; at += 1)
        bytes[at] = Math.floor(random() * 256);
    },
    'pages in the wrong place': (bytes, random) => {
      const pages = bytes.length / PAGE_BYTES;
      for (let count = 0; count < 5; count += 1) {
        const [from, to] = [1, 1].map(() => PAGE_BYTES * Math.floor(1 + random() * (pages - 1)));
        bytes.copyWithin(to!, from!, from! + PAGE_BYTES);
      }
    },
  };

  for (const [kind, change] of Object.entries(KINDS)) {
    it.each([11, 12])(
      `${kind}, seed %i: nothing is made up, and the result is sound`,
      async (seed) => {
        const random = randomOf(seed);
        history.damage((bytes) => change(bytes, random));
        for (const withSnapshot of [true, false]) {
          const path = await salvaged(withSnapshot);
          const { fabricated, old } = compare(history, path);
          expect(fabricated).toEqual([]);
          if (!withSnapshot) expect(old).toEqual([]);
        }
      },
    );
  }
});
