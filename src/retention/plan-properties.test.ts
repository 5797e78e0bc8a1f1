import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetentionSettings } from '../config/retention-settings.ts';
import { NO_GUARDS, newestFirst, type RetentionCandidate } from './candidate.ts';
import { planRetention } from './plan-retention.ts';
import { DAY_MS, HOUR_MS, policyOf } from './testing/candidates.ts';

const NOW_MS = Date.parse('2026-07-01T10:00:00Z');

const candidate = fc.record({
  capturedAtMs: fc.oneof(
    fc.integer({ min: 0, max: 96 }).map((hours) => NOW_MS - hours * HOUR_MS),
    fc.integer({ min: -3, max: 900 }).map((days) => NOW_MS - days * DAY_MS),
  ),
  origin: fc.constantFrom('manual', 'schedule', 'change', 'recovery', 'pre-restore', 'pre-migrate'),
  type: fc.constantFrom('full' as const, 'full' as const, 'config' as const, 'data' as const),
  good: fc.boolean(),
  proven: fc.boolean(),
  pinned: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
});

const candidates = fc
  .array(candidate, { maxLength: 60 })
  .map((all): RetentionCandidate[] => all.map((each, index) => ({ ...each, id: `id${index}` })));

const kept = fc.constantFrom(null, -1, 0, 1, 2, 3, 7);
const age = fc.constantFrom(null, HOUR_MS, 3 * DAY_MS, 90 * DAY_MS);
const rules = fc.record({
  keepLast: fc.constantFrom(-1, 1, 2, 5),
  keepHourly: kept,
  keepDaily: kept,
  keepWeekly: kept,
  keepMonthly: kept,
  keepYearly: kept,
  keepWithinMs: age,
  maxAgeMs: age,
});
const policy = fc
  .record({
    rules,
    pick: fc.constantFrom('newest', 'oldest'),
    timeZone: fc.constantFrom('UTC', 'Europe/Paris', 'America/New_York', 'Pacific/Apia'),
    minKeep: fc.integer({ min: 1, max: 4 }),
    minGood: fc.integer({ min: 1, max: 4 }),
    origins: fc.record({ manual: fc.option(rules), change: rules }, { requiredKeys: [] }),
    preRestore: fc.option(fc.record({ keepLast: fc.integer({ min: 1, max: 5 }), maxAgeMs: age })),
  })
  .map(({ rules: own, ...rest }) => policyOf({ ...own, ...rest }));

const decide = (all: readonly RetentionCandidate[], by: RetentionSettings) =>
  planRetention(all, by, NOW_MS, NO_GUARDS);

const check = (property: fc.IProperty<any>) => fc.assert(property, { numRuns: 400 });

describe('the policy', () => {
  it('F37: is idempotent: what it kept it keeps, for the same reasons or more', () => {
    check(
      fc.property(candidates, policy, (all, by) => {
        const ids = new Set(decide(all, by).keep.map(({ id }) => id));
        expect(
          decide(
            all.filter(({ id }) => ids.has(id)),
            by,
          ).remove,
        ).toEqual([]);
      }),
    );
  });

  it('F37: does not depend on the order of the snapshots', () => {
    check(
      fc.property(candidates, policy, fc.infiniteStream(fc.integer()), (all, by, order) => {
        const shuffled = all
          .map((each) => ({ each, key: order.next().value as number }))
          .sort((left, right) => left.key - right.key)
          .map(({ each }) => each);
        expect(decide(shuffled, by)).toEqual(decide(all, by));
      }),
    );
  });

  it('F37: decides on every snapshot once; keeps newest first, removes oldest first', () => {
    check(
      fc.property(candidates, policy, (all, by) => {
        const { keep, remove } = decide(all, by);
        const sorted = [...all].sort(newestFirst).map(({ id }) => id);
        const isKept = new Set(keep.map(({ id }) => id));
        expect(keep.map(({ id }) => id)).toEqual(sorted.filter((id) => isKept.has(id)));
        expect(remove.map(({ id }) => id)).toEqual(
          sorted.filter((id) => !isKept.has(id)).reverse(),
        );
        for (const { reasons } of [...keep, ...remove]) expect(reasons).not.toEqual([]);
      }),
    );
  });

  it('F37: a larger keep never removes more', () => {
    const name = fc.constantFrom(
      'keepLast' as const,
      'keepHourly' as const,
      'keepDaily' as const,
      'keepWeekly' as const,
      'keepMonthly' as const,
      'keepYearly' as const,
      'minKeep' as const,
      'minGood' as const,
      'keepWithinMs' as const,
      'maxAgeMs' as const,
    );
    check(
      fc.property(
        candidates,
        policy,
        name,
        fc.integer({ min: 1, max: 9 }),
        (all, by, which, more) => {
          const now = by[which];
          const unit = which.endsWith('Ms') ? DAY_MS : 1;
          const larger = { ...by, [which]: now === -1 ? -1 : (now ?? 0) + more * unit };
          const kept = new Set(decide(all, larger).keep.map(({ id }) => id));
          for (const { id } of decide(all, by).keep) expect(kept).toContain(id);
          const unlimited =
            which.startsWith('keep') && !which.endsWith('Ms') ? { ...by, [which]: -1 } : larger;
          expect(decide(all, unlimited).keep.length).toBeGreaterThanOrEqual(kept.size);
        },
      ),
    );
  });

  it('F38, Z-D11, Z-D10: whatever it says, guards hold', () => {
    check(
      fc.property(candidates, policy, fc.nat(59), (all, by, index) => {
        const inUse = new Set([`id${index}`]);
        const { remove } = planRetention(all, by, NOW_MS, { ...NO_GUARDS, inUse });
        const removed = new Set(remove.map(({ id }) => id));
        const past = all.filter(({ capturedAtMs }) => capturedAtMs <= NOW_MS).sort(newestFirst);
        const regular = past.filter(({ origin }) => !origin.startsWith('pre-'));
        const whole = regular.filter(({ type }) => type === 'full');
        const good = (whole.length > 0 ? whole : regular).filter((each) => each.good);
        const guarded = [
          ...all.filter(({ pinned, capturedAtMs }) => pinned || capturedAtMs > NOW_MS),
          ...all.filter(({ id }) => inUse.has(id)),
          ...regular.slice(0, by.minKeep),
          ...regular.filter((each) => each.good).slice(0, 1),
          ...regular.filter((each) => each.proven && each.good).slice(0, 1),
          ...good.slice(0, by.minGood),
        ];
        for (const { id } of guarded) expect(removed).not.toContain(id);
      }),
    );
  });
});
