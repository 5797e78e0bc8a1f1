import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCursor, PAGE_BYTES_MAX, pageByPosition, pageByTime } from './pages.ts';

interface Item {
  readonly id: string;
  readonly at: string;
}

const keyOf = ({ id, at }: Item): Item => ({ id, at });
const same = <T>(item: T): T => item;

describe('pages', () => {
  it('pageByPosition() gives every item once, in order, whatever the limit', () => {
    fc.assert(
      fc.property(fc.nat({ max: 50 }), fc.integer({ min: 1, max: 20 }), (length, limit) => {
        const all = Array.from({ length }, (_, index) => index);
        const seen: number[] = [];
        let cursor: string | null = null;
        do {
          const page: { items: readonly number[]; nextCursor: string | null } = pageByPosition(
            all,
            { limit, cursor },
            'x',
            same,
          );
          seen.push(...page.items);
          cursor = page.nextCursor;
        } while (cursor !== null);
        expect(seen).toEqual(all);
      }),
      { verbose: true },
    );
  });

  it('pageByTime() gives every item that stays once, while others come and go between pages', () => {
    const change = fc.record({
      add: fc.boolean(),
      remove: fc.option(fc.nat({ max: 60 }), { nil: null }),
    });
    fc.assert(
      fc.property(
        fc.nat({ max: 30 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(change, { maxLength: 40 }),
        (length, limit, changes) => {
          const item = (index: number): Item => ({
            id: `id${index}`,
            at: String(1000 + index),
          });
          let all = Array.from({ length }, (_, index) => item(length - 1 - index));
          const original = all.map(({ id }) => id);
          const removed = new Set<string>();
          const seen: string[] = [];
          let next = length;
          let cursor: string | null = null;
          do {
            const page: { items: readonly Item[]; nextCursor: string | null } = pageByTime(
              all,
              { limit, cursor },
              'x',
              keyOf,
              same,
            );
            seen.push(...page.items.map(({ id }) => id));
            cursor = page.nextCursor;
            const { add, remove } = changes.shift() ?? { add: false, remove: null };
            if (remove !== null && all[remove] !== undefined) {
              removed.add(all[remove].id);
              all = all.filter((_, index) => index !== remove);
            }
            if (add) all = [item(next++), ...all];
          } while (cursor !== null);
          expect(new Set(seen).size).toBe(seen.length);
          const stayed = original.filter((id) => !removed.has(id));
          expect(seen.filter((id) => stayed.includes(id))).toEqual(stayed);
        },
      ),
      { numRuns: 500, verbose: true },
    );
  });

  it('a page is bounded in bytes, but never empty while there is something', () => {
    const huge = Array.from({ length: 5 }, (_, index) => `${index}${'x'.repeat(PAGE_BYTES_MAX)}`);
    const page = pageByPosition(huge, { limit: 100 }, 'x', same);
    expect(page.items).toHaveLength(1);
    expect(page.nextCursor).not.toBeNull();
  });

  it('refuses cursors of other lists and nonsense', () => {
    const cursors = [encodeCursor('other', [1]), 'x', '', Buffer.from('[]').toString('base64url')];
    for (const cursor of cursors) {
      expect(() => pageByPosition([1, 2], { limit: 1, cursor }, 'x', same)).toThrow(
        expect.objectContaining({ code: 'INVALID_PARAMS' }),
      );
    }
  });
});
