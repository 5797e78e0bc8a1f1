import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { dataSubset, durationMs, wholeNumber } from './option-parsers.ts';

describe('option parsers', () => {
  it('Z-106: durationMs() reads durations with a unit and refuses all else', () => {
    expect(durationMs('90s')).toBe(90_000);
    expect(durationMs('15min')).toBe(900_000);
    expect(durationMs('1.5h')).toBe(5_400_000);
    expect(durationMs('30d')).toBe(2_592_000_000);
    expect(durationMs('2w')).toBe(1_209_600_000);
    for (const bad of ['', '30', '-1d', '1 d', 'd', '1e3s', '99999999999d']) {
      expect(() => durationMs(bad), bad).toThrow(InvalidArgumentError);
    }
  });

  it('dataSubset() reads shares from 0% to 100%', () => {
    expect(dataSubset('0%')).toBe('none');
    expect(dataSubset('100%')).toBe('all');
    expect(dataSubset('0.5%')).toEqual({ percent: 0.5 });
    for (const bad of ['5', '101%', '-1%', '%', '5%%']) {
      expect(() => dataSubset(bad), bad).toThrow(InvalidArgumentError);
    }
  });

  it('wholeNumber() keeps to its bounds', () => {
    expect(wholeNumber(1, 10)('10')).toBe(10);
    for (const bad of ['0', '11', '1.5', '0x5', '', ' 5', '1e1']) {
      expect(() => wholeNumber(1, 10)(bad), bad).toThrow(InvalidArgumentError);
    }
  });
});
