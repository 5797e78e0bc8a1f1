import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAtOrBelow, PathLimits } from './logical-paths.ts';

const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'a.b'), { minLength: 1, maxLength: 5 })
  .map((components) => components.join('/'));

describe('PathLimits', () => {
  it('answers as a comparison with each of the paths does', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 6 }), path, (limits, asked) => {
        const set = new PathLimits(limits);
        expect(set.holds(asked)).toBe(limits.some((limit) => isAtOrBelow(asked, limit)));
        expect(set.isOnTheWay(asked)).toBe(
          limits.some((limit) => isAtOrBelow(asked, limit) || isAtOrBelow(limit, asked)),
        );
      }),
    );
  });
});
