import { describe, expect, it, type MockInstance, vi } from 'vitest';
import { NO_GUARDS, type RetentionCandidate } from './candidate.ts';
import { planRetention } from './plan-retention.ts';
import { DAY_MS, HOUR_MS, policyOf, series, taken } from './testing/candidates.ts';

const EVERYTHING = {
  keepLast: 10,
  keepHourly: 24,
  keepDaily: 7,
  keepWeekly: 5,
  keepMonthly: 12,
  keepYearly: -1,
  minGood: 2,
};

describe('many snapshots', () => {
  it('10,000 are planned with one look at the clocks for each, and each is compared but log n times', () => {
    const policy = policyOf({ ...EVERYTHING, timeZone: 'Europe/Paris' });
    const all = series('2026-07-01T00:00:00Z', 10_000, HOUR_MS / 2);
    let compared = 0;
    const counted = all.map((each) =>
      Object.defineProperty({ ...each }, 'capturedAtMs', {
        enumerable: true,
        get: () => {
          compared += 1;
          return each.capturedAtMs;
        },
      }),
    );
    const looks = vi.spyOn(
      Intl.DateTimeFormat.prototype,
      'format' as never,
      'get' as never,
    ) as MockInstance;
    const { keep, remove } = planRetention(counted, policy, all[0]!.capturedAtMs, NO_GUARDS);
    expect(looks.mock.calls.length).toBe(all.length);
    looks.mockRestore();
    expect(compared).toBeLessThan(all.length * 60);
    expect(keep.length + remove.length).toBe(all.length);
    expect(keep.length).toBeLessThan(60);
  });

  it('T-D6: a year of half-hourly snapshots, each followed by a forget: what is left is what one forget would leave', () => {
    const policy = policyOf(EVERYTHING);
    const newest = Date.parse('2026-12-31T23:30:00Z');
    const all = series('2026-12-31T23:30:00Z', 17_520, HOUR_MS / 2).reverse();
    let left: RetentionCandidate[] = [];
    let mostLeft = 0;
    for (const snapshot of all) {
      left.push(snapshot);
      const { remove } = planRetention(left, policy, snapshot.capturedAtMs, NO_GUARDS);
      const removed = new Set(remove.map(({ id }) => id));
      if (removed.size > 0) left = left.filter(({ id }) => !removed.has(id));
      mostLeft = Math.max(mostLeft, left.length);
    }
    const months = new Set(left.map(({ id }) => id.slice(0, 7)));
    expect(months.size).toBe(12);
    expect(left).toContainEqual(expect.objectContaining({ capturedAtMs: newest }));
    expect(mostLeft).toBeLessThan(65);
    const days = new Set(
      left
        .filter(({ capturedAtMs }) => newest - capturedAtMs < 7 * DAY_MS)
        .map(({ id }) => id.slice(0, 10)),
    );
    expect(days.size).toBe(7);
    const atOnce = planRetention(all, policy, newest, NO_GUARDS).keep.map(({ id }) => id);
    expect(left.map(({ id }) => id).reverse()).toEqual(atOnce);
    expect(atOnce).toContain(taken('2026-01-01T00:00:00Z').id);
  });
});
