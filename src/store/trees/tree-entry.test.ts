import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareNames } from './tree-entry.ts';

it('compareNames() is the order of the UTF-8 bytes', () => {
  const name = fc.string({ unit: 'binary', maxLength: 6 });
  fc.assert(
    fc.property(name, name, (left, right) => {
      const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
      expect(Math.sign(compareNames(left, right))).toBe(expected);
    }),
    {
      numRuns: 2000,
      examples: [
        ['\u{10000}', '\uffff'],
        ['a', 'ab'],
        ['\ue000', '\ud7ff'],
      ],
    },
  );
});
