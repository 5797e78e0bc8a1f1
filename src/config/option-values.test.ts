import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestName } from './nearest-name.ts';
import {
  formatBytes,
  formatDuration,
  IDENTIFIER,
  parseBytes,
  parseDurationMs,
  slug,
} from './option-values.ts';

describe('durations and sizes', () => {
  it('what is formatted parses back to the same amount', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (amount) => {
        expect(parseDurationMs(formatDuration(amount))).toBe(amount);
        expect(parseBytes(formatBytes(amount))).toBe(amount);
      }),
    );
    expect(formatDuration(21_600_000)).toBe('6h');
    expect(formatBytes(2 ** 29)).toBe('512MiB');
  });

  it.each([
    '5',
    '5 parsecs',
    's',
    '-5s',
    '1e3s',
    '0x5s',
    '5s5s',
    '',
    Number.NaN,
    Infinity,
    null,
    true,
    [],
    {},
  ])('%s is neither', (value) => {
    expect(parseDurationMs(value)).toBeNull();
    expect(parseBytes(value)).toBeNull();
  });
});

describe('slug()', () => {
  it('is an identifier or null, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const made = slug(text);
        if (made !== null) expect(made).toMatch(IDENTIFIER);
      }),
    );
    expect(slug('Müller & Söhne')).toBe('muller-sohne');
    expect(slug('../..')).toBeNull();
    expect(slug('日本')).toBeNull();
  });
});

describe('nearestName()', () => {
  const known = ['repositoryDirectory', 'codec', 'quietMs', 'maxWaitMs'];
  it('suggests what was meant and nothing far off', () => {
    expect(nearestName('repositoryDirectry', known)).toBe('repositoryDirectory');
    expect(nearestName('repository', known)).toBe('repositoryDirectory');
    expect(nearestName('cdoec', known)).toBe('codec');
    expect(nearestName('elephant', known)).toBeNull();
    expect(nearestName('x'.repeat(1_000_000), known)).toBeNull();
  });
  it('editDistance() is symmetric and zero only for equal texts', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
        expect(editDistance(left, right)).toBe(editDistance(right, left));
        expect(editDistance(left, right) === 0).toBe(left === right);
      }),
    );
  });
});
