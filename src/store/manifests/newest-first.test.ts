import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newestFirst } from './newest-first.ts';
import type { FixedSummary } from './summary.ts';

function snapshot(
  id: string,
  minute: number,
  parent: string | null,
  sourceId = 'app',
): FixedSummary {
  const capturedAt = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  return { id, parent, sourceId, capturedAt } as FixedSummary;
}

const ids = (summaries: readonly FixedSummary[]): string[] =>
  newestFirst(summaries).map(({ id }) => id);

describe('newestFirst()', () => {
  it('is by the moment, then by id', () => {
    const list = [snapshot('b', 1, null), snapshot('a', 1, null), snapshot('c', 2, null)];
    expect(ids(list)).toEqual(['c', 'a', 'b']);
  });

  it('T-D8, F20: what was taken after the clock was set back is newer than what was taken before', () => {
    const before = [snapshot('a', 60, null), snapshot('b', 61, 'a')];
    const after = [snapshot('c', 2, 'b'), snapshot('d', 3, 'c'), snapshot('e', 70, 'd')];
    expect(ids([...before, ...after])).toEqual(['e', 'd', 'c', 'b', 'a']);
    // Another source has its own history, whatever its snapshots name.
    expect(ids([...before, snapshot('x', 2, 'b', 'other')])).toEqual(['b', 'a', 'x']);
  });

  it('T-D8: with a clock that jumps about, the order is that in which they were taken', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 40 }), fc.nat(), (minutes, seed) => {
        const taken: FixedSummary[] = [];
        for (const [index, minute] of minutes.entries()) {
          const parent = newestFirst(taken)[0]?.id ?? null;
          taken.push(snapshot(`s${String(index).padStart(3, '0')}`, minute, parent));
        }
        const shuffled = [...taken].sort((left, right) =>
          `${(Number(left.id.slice(1)) * 7919 + seed) % 101}`.localeCompare(
            `${(Number(right.id.slice(1)) * 7919 + seed) % 101}`,
          ),
        );
        expect(ids(shuffled)).toEqual(taken.map(({ id }) => id).reverse());
      }),
    );
  });

  it('ends for parents that lead in a circle, as no repository of ours has', () => {
    const list = [snapshot('a', 1, 'b'), snapshot('b', 1, 'a')];
    expect(ids(list)).toHaveLength(2);
  });

  it('takes a chain of 100,000', () => {
    const chain = Array.from({ length: 100_000 }, (_, index) =>
      snapshot(String(index), 1, index === 0 ? null : String(index - 1)),
    );
    expect(ids(chain)[0]).toBe('99999');
  });
});
