import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expiredQuarantine, type QuarantineBounds } from './expired-quarantine.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse('2026-03-01T00:00:00.000Z');
const record = (id: string, hoursAgo: number, bytes = 10) => ({
  id,
  at: new Date(NOW_MS - hoursAgo * HOUR_MS).toISOString(),
  bytes,
});
const UNBOUNDED: QuarantineBounds = { maxCount: null, maxAgeMs: null, minFreeBytes: 0 };
const RECORDS = [record('d', 2), record('c', 4), record('b', 6), record('a', 8)];

const expired = (
  bounds: Partial<QuarantineBounds>,
  facts: { freeBytes?: number; keep?: string[] } = {},
) =>
  expiredQuarantine(
    RECORDS,
    { ...UNBOUNDED, ...bounds },
    { nowMs: NOW_MS, freeBytes: facts.freeBytes ?? 1000, keep: new Set(facts.keep) },
  );

describe('what bounds make of a quarantine', () => {
  it('nothing goes without bounds; with them the oldest, and no more than must', () => {
    expect(expired({})).toEqual([]);
    expect(expired({ maxCount: 3 })).toEqual(['a']);
    expect(expired({ maxAgeMs: 5 * HOUR_MS })).toEqual(['a', 'b']);
    expect(expired({ minFreeBytes: 115 }, { freeBytes: 100 })).toEqual(['a', 'b']);
  });

  it('F34: what must be kept is kept, and the next oldest goes in its place', () => {
    expect(expired({ maxCount: 3 }, { keep: ['a'] })).toEqual(['b']);
    expect(expired({ maxCount: 0 }, { keep: ['a', 'c'] })).toEqual(['b', 'd']);
    expect(expired({ maxAgeMs: HOUR_MS }, { keep: ['a', 'b', 'c', 'd'] })).toEqual([]);
  });

  it('never takes what is kept or of the last hour, whatever the bounds', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ hoursAgo: fc.double({ min: 0, max: 100, noNaN: true }), keep: fc.boolean() }),
          {
            maxLength: 20,
          },
        ),
        fc.option(fc.nat(20)),
        fc.option(fc.nat(100)),
        fc.nat(500),
        (entries, maxCount, maxAgeHours, minFreeBytes) => {
          const records = entries.map(({ hoursAgo }, index) => record(String(index), hoursAgo));
          const keep = new Set(
            entries.flatMap((each, index) => (each.keep ? [String(index)] : [])),
          );
          const maxAgeMs = maxAgeHours === null ? null : maxAgeHours * HOUR_MS;
          const bounds = { maxCount, maxAgeMs, minFreeBytes };
          const gone = expiredQuarantine(records, bounds, { nowMs: NOW_MS, freeBytes: 100, keep });
          for (const id of gone) {
            expect(keep.has(id)).toBe(false);
            expect(NOW_MS - Date.parse(records[Number(id)]!.at)).toBeGreaterThanOrEqual(HOUR_MS);
          }
        },
      ),
    );
  });
});
