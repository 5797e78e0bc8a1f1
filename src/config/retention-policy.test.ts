import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../kernel/errors.ts';
import { parseConfig } from './config-file.ts';
import { resolveSettings } from './resolve-settings.ts';
import { parseRetention } from './retention-policy.ts';
import type { Settings } from './settings.ts';

const refusal = (written: unknown): string => {
  try {
    parseRetention(written);
    return 'accepted';
  } catch (error) {
    return (error as HoldfastError).code;
  }
};

function settingsOf(yaml: string): Promise<Settings> {
  return resolveSettings({
    document: parseConfig(yaml, 'test'),
    origin: 'test',
    overrides: new Map(),
    watch: true,
    env: { HOME: '/nowhere' },
  });
}

const source = (name: string, more = ''): string =>
  `\n  - { name: ${name}, roots: [/srv/${name}]${more} }`;

describe('a retention policy', () => {
  it.each([
    {},
    { keepLast: 0, keepDaily: 0 },
    { gfs: { daily: 0, weekly: 0, monthly: 0 } },
    { keepLast: 3, origins: { manual: {} } },
    { keepLast: 3, preRestore: { keepLast: 0, maxAgeMs: null } },
  ])('M-06, T-D7: one that keeps nothing is refused as EMPTY_POLICY: %j', (written) => {
    expect(refusal(written)).toBe('EMPTY_POLICY');
  });

  it.each([
    { keepDaily: -2 },
    { gfs: { monthly: -2 } },
    { keepLast: 1.5 },
    { keepLast: 1, timeZone: 'Mars/Olympus' },
    { keepLast: 1, minKeep: 0 },
    { keepLast: 1, surprise: true },
    'grandfather',
  ])('T-D7: what is out of bounds is refused as INVALID_PARAMS: %j', (written) => {
    expect(refusal(written)).toBe('INVALID_PARAMS');
  });

  it('T-D7: -1 is all, everywhere', () => {
    const all = {
      keepLast: -1,
      keepHourly: -1,
      keepDaily: -1,
      keepWeekly: -1,
      keepMonthly: -1,
      keepYearly: -1,
    };
    expect(parseRetention(all)).toMatchObject(all);
  });

  it('T-22: gfs without numbers is 5, 4 and all; a written 0 stays 0', () => {
    const five = { keepLast: null, keepDaily: 5, keepWeekly: 4, keepMonthly: -1, pick: 'oldest' };
    expect(parseRetention('gfs')).toMatchObject(five);
    expect(parseRetention({ gfs: {} })).toMatchObject(five);
    expect(parseRetention({ gfs: { daily: 0 } })).toMatchObject({ ...five, keepDaily: 0 });
    expect(parseRetention({ gfs: { dailyMeans: 'snapshots' } })).toMatchObject({
      ...five,
      keepDaily: null,
      keepLast: 5,
    });
    expect(parseRetention({ gfs: {}, pick: 'newest', keepWeekly: 9 })).toMatchObject({
      ...five,
      pick: 'newest',
      keepWeekly: 9,
    });
  });

  it('F-12, Z-03: presets count and age; a count of 0 or less keeps everything', () => {
    expect(parseRetention('count')).toMatchObject({ keepLast: 10, pick: 'newest' });
    expect(parseRetention('age')).toMatchObject({ maxAgeMs: 604_800_000, keepLast: null });
    for (const count of [0, -1, -5]) expect(parseRetention({ count })).toBeNull();
    expect(parseRetention({ count: 0, keepDaily: 3 })).toMatchObject({
      keepLast: null,
      keepDaily: 3,
    });
  });

  it('has defaults that are hard to be sorry for', () => {
    expect(parseRetention({ keepLast: 3 })).toEqual({
      keepLast: 3,
      keepHourly: null,
      keepDaily: null,
      keepWeekly: null,
      keepMonthly: null,
      keepYearly: null,
      keepWithinMs: null,
      maxAgeMs: null,
      pick: 'newest',
      timeZone: 'UTC',
      minKeep: 1,
      minGood: 2,
      origins: {},
      preRestore: { keepLast: 5, maxAgeMs: 30 * 86_400_000 },
    });
  });

  it('compiled once more is the same: remembered settings mean what they meant', () => {
    for (const written of [
      'gfs',
      'count',
      'age',
      { keepLast: 1, origins: { change: { keepDaily: 2 } } },
    ]) {
      const policy = parseRetention(written);
      expect(parseRetention(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
    }
  });
});

describe('retention in a configuration', () => {
  it('F37: nothing is removed unless it says so; a source has its own, the common one, or null', async () => {
    const none = await settingsOf(`sources: ${source('a')}`);
    expect(none.retention).toBeNull();
    expect(none.sources[0]!.retention).toBeNull();
    const some = await settingsOf(
      `retention: count\nsources: ${source('a')}${source('b', ', retention: null')}${source('c', ', retention: {keepDaily: 7}')}`,
    );
    expect(some.sources.map(({ retention }) => retention)).toMatchObject([
      { keepLast: 10 },
      null,
      { keepLast: null, keepDaily: 7 },
    ]);
    expect(Object.isFrozen(some.sources[0]!.retention?.preRestore)).toBe(true);
  });

  it('M-06: what is wrong with it is told with its place', async () => {
    const yaml = `retention: {}\nsources: ${source('a', ', retention: {keepDayly: 3}')}${source('b', ', retention: {keepLast: 2, origins: {manual: {keepLst: 1}}}')}`;
    await expect(settingsOf(yaml)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        /keepDayly: unknown option; did you mean "keepDaily"\?[\s\S]*keepLst: unknown option; did you mean "keepLast"\?/,
      ),
    });
    await expect(settingsOf('retention: {}\nsources: []')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('retention: an empty policy would keep nothing'),
    });
  });
});
