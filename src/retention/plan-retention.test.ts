import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, plan, series, taken } from './testing/candidates.ts';

describe('T-26: the published vectors', () => {
  const gfs = (counts: Record<string, unknown>) => ({ gfs: { weekly: 0, monthly: 0, ...counts } });

  it.each(['days', 'snapshots'] as const)(
    'T-22, T-26: seven daily snapshots, daily 5 (of %s): five stay',
    (dailyMeans) => {
      const daily = series('2026-03-07T03:00:00Z', 7, DAY_MS);
      expect(plan(daily, gfs({ daily: 5, dailyMeans })).kept).toHaveLength(5);
    },
  );

  it('T-26: eight weekly snapshots, weekly 4: four stay', () => {
    const weekly = series('2026-03-07T03:00:00Z', 8, 7 * DAY_MS);
    expect(plan(weekly, gfs({ daily: 0, weekly: 4 })).kept).toHaveLength(4);
  });

  it('T-26: twelve monthly snapshots, monthly -1: all stay', () => {
    const monthly = Array.from({ length: 12 }, (_, month) => taken(Date.UTC(2025, month, 1)));
    expect(plan(monthly, gfs({ daily: 0, monthly: -1 })).removed).toEqual([]);
  });

  it('T-21, T-26: daily 1 and one snapshot from before a restore: both stay', () => {
    const before = taken('2026-03-06T00:00:00Z', { origin: 'pre-restore', id: 'before' });
    const { kept } = plan([taken('2026-03-07T00:00:00Z'), before], gfs({ daily: 1 }));
    expect(kept).toHaveLength(2);
  });
});

describe('what came from an archive', () => {
  it('F22: is counted by itself, and is never the newest good one that must stay', () => {
    const own = taken('2026-03-01T00:00:00Z');
    const imported = taken('2026-03-06T00:00:00Z', { origin: 'import', proven: true });
    const later = taken('2026-03-07T00:00:00Z', { origin: 'import', id: 'later' });
    const { kept, reasons } = plan([own, imported, later], { maxAgeMs: HOUR_MS });
    expect(kept).toEqual(['later', own.id]);
    expect(reasons(own.id)).toContain('newest good');
    expect(plan([own, imported, later], { keepLast: 1 }).kept).toContain(own.id);
  });
});

describe('the rules', () => {
  it('T-23: of each week and month the oldest with gfs, weeks by ISO year, and all of them together', () => {
    const days = series('2026-01-10T12:00:00Z', 40, DAY_MS);
    const { kept, reasons } = plan(days, { gfs: { daily: 2, weekly: 2, monthly: 2 } });
    expect(kept).toEqual([
      '2026-01-10T12:00',
      '2026-01-09T12:00',
      '2026-01-05T12:00',
      '2026-01-01T12:00',
      '2025-12-29T12:00',
      '2025-12-02T12:00',
    ]);
    expect(reasons('2025-12-29T12:00')).toEqual(['weekly 2026-W01']);
    expect(reasons('2025-12-02T12:00')).toEqual(['monthly 2025-12']);
  });

  it('T-D6: half-hourly snapshots, daily 5: five days survive, not two and a half hours', () => {
    const halfHourly = series('2026-03-10T18:00:00Z', 480, HOUR_MS / 2);
    const { kept } = plan(halfHourly, { keepDaily: 5 });
    const days = ['2026-03-10', '2026-03-09', '2026-03-08', '2026-03-07', '2026-03-06'];
    expect(kept.map((id) => id.slice(0, 10))).toEqual(days);
  });

  it('F-12, Z-52: keepLast keeps that many of the newest', () => {
    const ten = series('2026-03-10T00:00:00Z', 10, HOUR_MS);
    expect(plan(ten, { keepLast: 3 }).kept).toEqual(ten.slice(0, 3).map(({ id }) => id));
  });

  it('Z-51: an age alone removes what is older, of any origin, and nothing else', () => {
    const days = series('2026-03-10T00:00:00Z', 20, DAY_MS);
    const manual = days.map((each) => ({ ...each, id: `m ${each.id}`, origin: 'manual' }));
    const { kept } = plan(
      [...days, ...manual],
      { maxAgeMs: '7d' },
      { now: '2026-03-10T00:00:01Z' },
    );
    expect(kept).toHaveLength(14);
  });

  it('F37: maxAgeMs removes only what no other rule keeps', () => {
    const days = series('2026-03-10T00:00:00Z', 20, DAY_MS);
    const { kept } = plan(days, { maxAgeMs: '3d', keepLast: 5 }, { now: '2026-03-09T23:00:00Z' });
    expect(kept).toHaveLength(6);
    expect(plan(days, { maxAgeMs: '10d', keepLast: 5 }).kept).toHaveLength(10);
  });

  it('keepWithinMs goes by the newest snapshot: where none are taken, none goes', () => {
    const days = series('2026-03-10T00:00:00Z', 20, DAY_MS);
    const much = { now: '2031-01-01T00:00:00Z' };
    expect(plan(days, { keepWithinMs: '3d' }, much).kept).toHaveLength(4);
  });

  it('counts buckets that have a snapshot, and reaches back to the first while there are fewer', () => {
    const sparse = [1, 2, 50, 51, 400, 401].map((day) =>
      taken(Date.UTC(2026, 0, 1) - day * DAY_MS),
    );
    expect(plan(sparse, { keepDaily: 3 }).kept).toHaveLength(3);
    const { kept, reasons } = plan(sparse, { keepMonthly: 10 });
    expect(kept).toHaveLength(4);
    expect(reasons(sparse[5]!.id)).toEqual(['oldest monthly']);
  });

  it('M-06: hours, days, weeks, months and years are kept side by side, each with its reasons', () => {
    const hours = series('2026-03-01T23:30:00Z', 24 * 800, HOUR_MS);
    const { kept, reasons } = plan(hours, {
      keepHourly: 3,
      keepDaily: 2,
      keepWeekly: 2,
      keepMonthly: 2,
      keepYearly: 2,
    });
    expect(reasons(hours[0]!.id)).toEqual([
      'newest',
      'newest good',
      'good floor',
      'hourly 2026-03-01T23',
      'daily 2026-03-01',
      'weekly 2026-W09',
      'monthly 2026-03',
      'yearly 2026',
    ]);
    const expected = ['03-01', '03-01', '03-01', '02-28', '02-22', '12-31'];
    expect(kept.map((id) => id.slice(5, 10))).toEqual(expected);
  });

  it('pick chooses the newest or the oldest of a bucket', () => {
    const hours = series('2026-03-02T23:00:00Z', 48, HOUR_MS);
    expect(plan(hours, { keepDaily: 2 }).kept).toEqual(['2026-03-02T23:00', '2026-03-01T23:00']);
    expect(plan(hours, { keepDaily: 2, pick: 'oldest' }).kept).toEqual([
      '2026-03-02T23:00',
      '2026-03-02T00:00',
      '2026-03-01T00:00',
    ]);
  });

  it('T-D8: two snapshots of the same moment are told apart by their ids, the same way each time', () => {
    const twins = ['b', 'a', 'c'].map((id) => taken('2026-03-01T00:00:00Z', { id }));
    expect(plan(twins, { keepLast: 1 }).kept).toEqual(['a']);
    expect(plan([...twins].reverse(), { keepLast: 1 }).kept).toEqual(['a']);
  });

  it('F-D5: a flood of automatic snapshots leaves the manual ones be', () => {
    const manual = series('2026-01-01T00:00:00Z', 3, DAY_MS, { origin: 'manual' });
    const hourly = series('2026-03-01T00:00:00Z', 500, HOUR_MS);
    const changes = series('2026-03-01T00:00:30Z', 5000, 60_000, { origin: 'change' }).map(
      (each) => ({ ...each, id: `change ${each.capturedAtMs}` }),
    );
    const { kept } = plan([...changes, ...hourly, ...manual], { keepLast: 3 });
    expect(kept).toHaveLength(9);
    for (const { id } of manual) expect(kept).toContain(id);
  });

  it('rules of an origin stand in place of the general ones; null keeps all of it', () => {
    const manual = series('2026-01-01T00:00:00Z', 5, DAY_MS, { origin: 'manual' });
    const changes = series('2026-03-01T00:00:00Z', 5, DAY_MS, { origin: 'change' });
    const all = [...manual, ...changes];
    const own = { keepLast: 1, origins: { manual: null, change: { keepLast: 2 } } };
    const { kept, reasons } = plan(all, own);
    expect(kept).toHaveLength(7);
    expect(reasons(manual[4]!.id)).toEqual(['origin']);
  });

  it('snapshots of a part push out none of the whole', () => {
    const parts = series('2026-03-01T00:00:00Z', 10, HOUR_MS, { type: 'config' });
    const whole = series('2026-02-01T00:00:00Z', 2, HOUR_MS);
    expect(plan([...parts, ...whole], { keepLast: 2 }).kept).toHaveLength(4);
  });
});

describe('what stays under any policy', () => {
  const hours = series('2026-03-10T12:00:00Z', 100, HOUR_MS);

  it('T-27, T-D7: the newest snapshot, and so the only one', () => {
    const old = [taken('2001-01-01T00:00:00Z')];
    expect(plan(old, { maxAgeMs: '1d' }, { now: '2026-01-01T00:00:00Z' }).removed).toEqual([]);
    const bad = taken('2026-03-10T13:00:00Z', { good: false, id: 'bad' });
    expect(plan([bad, ...hours], { keepYearly: 1, pick: 'oldest' }).kept).toContain('bad');
  });

  it('minKeep of the newest', () => {
    expect(plan(hours, { keepLast: 1, minKeep: 7 }).kept).toHaveLength(7);
  });

  it('F38: pinned ones, which are not counted either', () => {
    const pinned = hours.map((each, index) =>
      index % 10 === 0 ? { ...each, pinned: true } : each,
    );
    const { kept, reasons } = plan(pinned, { keepLast: 2 });
    expect(kept).toHaveLength(12);
    expect(reasons(hours[90]!.id)).toEqual(['pinned']);
    expect(reasons(hours[2]!.id)).toEqual(['last']);
  });

  it('F38, Z-D11, F-D10: the newest good one, though newer ones are bad', () => {
    const bad = series('2026-03-12T12:00:00Z', 20, HOUR_MS, { good: false });
    const { kept, reasons } = plan([...bad, ...hours], { maxAgeMs: '1s' }, {});
    expect(reasons(hours[0]!.id)).toContain('newest good');
    expect(kept).toEqual([bad[0]!.id, hours[0]!.id]);
  });

  it('F-D10: bad ones push out no good ones', () => {
    const bad = series('2026-03-12T12:00:00Z', 20, HOUR_MS, { good: false });
    const { kept } = plan([...bad, ...hours], { keepLast: 4 });
    expect(kept.filter((id) => hours.some((each) => each.id === id))).toHaveLength(4);
  });

  it('F38, Z-D11: the last one known good, however old', () => {
    const proven = { ...hours[80]!, proven: true };
    const all = [...hours.slice(0, 80), proven, { ...hours[90]!, proven: true }];
    const { kept, reasons } = plan(all, { keepLast: 2 });
    expect(kept).toHaveLength(3);
    expect(reasons(proven.id)).toEqual(['last known good']);
  });

  it('Z-D10: two good ones, and one of them a day old, where keepLast is 1', () => {
    const { kept, reasons } = plan(hours, { keepLast: 1, minGood: 2 });
    expect(kept).toEqual([hours[0]!.id, hours[1]!.id, hours[24]!.id]);
    expect(reasons(hours[1]!.id)).toEqual(['good floor']);
    expect(reasons(hours[24]!.id)).toEqual(['good and a day old']);
  });

  it('Z-D16: one that a staged restore or a reader holds', () => {
    const held = hours[50]!.id;
    const { kept, reasons } = plan(hours, { keepLast: 1 }, { inUse: new Set([held]) });
    expect(kept).toContain(held);
    expect(reasons(held)).toEqual(['in use']);
  });

  it('future-dated ones, and they push no real ones out', () => {
    const ahead = series('2027-01-03T00:00:00Z', 3, DAY_MS);
    const { kept, reasons } = plan(
      [...ahead, ...hours],
      { keepLast: 2 },
      { now: '2026-03-11T00:00:00Z' },
    );
    expect(kept).toEqual([...ahead, hours[0]!, hours[1]!].map(({ id }) => id));
    expect(reasons(ahead[0]!.id)).toEqual(['future-dated']);
  });
});

describe('snapshots of what a restore was about to replace', () => {
  const before = series('2026-03-10T00:00:00Z', 60, DAY_MS, { origin: 'pre-restore' });
  const regular = series('2026-03-10T12:00:00Z', 3, HOUR_MS);
  const of = (ids: readonly string[]) => ids.filter((id) => before.some((each) => each.id === id));

  it('T-D19: have a policy of their own, and are not counted with the others', () => {
    const { kept } = plan([...before, ...regular], { keepLast: 2, maxAgeMs: null });
    expect(of(kept)).toHaveLength(30);
    expect(kept).toHaveLength(32);
    const tight = { keepLast: 2, preRestore: { keepLast: 5, maxAgeMs: null } };
    expect(of(plan([...before, ...regular], tight).kept)).toHaveLength(5);
    const none = { keepLast: 2, preRestore: null };
    expect(of(plan([...before, ...regular], none).kept)).toHaveLength(60);
  });

  it('the last one stays while a restore is younger than a day', () => {
    const policy = { keepLast: 2, preRestore: { keepLast: 0, maxAgeMs: '1h' } };
    const one = [before[0]!, ...regular];
    const soon = plan(one, policy, { now: '2026-03-10T20:00:00Z' });
    expect(soon.reasons(before[0]!.id)).toEqual(['way back of a restore']);
    const later = { now: '2026-03-12T00:00:00Z' };
    expect(of(plan(one, policy, later).kept)).toEqual([]);
    const restored = { ...later, lastRestoreAtMs: Date.parse('2026-03-11T09:00:00Z') };
    expect(of(plan(one, policy, restored).kept)).toEqual([before[0]!.id]);
  });
});
