import fc from 'fast-check';
import nodeCron from 'node-cron';
import { describe, expect, it } from 'vitest';
import { nextCronTime, planCron } from './cron-times.ts';
import { instantsOf, wallTimeMs, zoneDay } from './zone-day.ts';

function nextRuns(expression: string, zone: string, from: string, count: number): string[] {
  const plan = planCron(expression);
  const runs: string[] = [];
  let atMs = Date.parse(from);
  while (runs.length < count) {
    const next = nextCronTime(plan, zone, atMs);
    if (next === null) break;
    atMs = next;
    runs.push(new Date(next).toISOString().replace(':00.000Z', 'Z'));
  }
  return runs;
}

describe('nextCronTime()', () => {
  it('a time that the clocks skip is due as much later, once, and the day after as usual', () => {
    expect(nextRuns('30 2 * * *', 'Europe/Paris', '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:30Z',
      '2026-03-30T00:30Z',
    ]);
  });

  it('a time that comes twice is due once', () => {
    expect(nextRuns('30 2 * * *', 'Europe/Paris', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('every quarter of an hour stays every quarter of an hour through both changes', () => {
    for (const day of ['2026-03-28T12:07Z', '2026-10-24T12:07Z']) {
      const runs = nextRuns('*/15 * * * *', 'Europe/Paris', day, 120).map((at) => Date.parse(at));
      const gaps = new Set(runs.slice(1).map((at, index) => at - runs[index]!));
      expect([...gaps]).toEqual([15 * 60_000]);
    }
  });

  it.each([
    ['America/New_York', '30 2 * * *', '2026-03-08T00:00-05:00', '2026-03-08T07:30Z'],
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-03T12:00Z', '2026-10-03T15:45Z'],
    ['Asia/Kolkata', '0 3 * * *', '2026-06-01T00:00Z', '2026-06-01T21:30Z'],
    ['UTC', '0 0 29 2 *', '2026-06-01T00:00Z', '2028-02-29T00:00Z'],
    ['UTC', '@daily', '2026-06-01T00:00Z', '2026-06-02T00:00Z'],
    ['UTC', '0 12 L * *', '2026-02-01T00:00Z', '2026-02-28T12:00Z'],
    ['UTC', '0 0 * * 7', '2026-06-01T00:00Z', '2026-06-07T00:00Z'],
    ['UTC', '0 13 13 * 5', '2026-01-01T00:00Z', '2026-02-13T13:00Z'],
  ])('%s %s', (zone, expression, from, expected) => {
    expect(nextRuns(expression, zone, from, 1)).toEqual([expected]);
  });

  it('a day that never comes is never due, and that is found out soon', () => {
    const plan = planCron('0 0 29 2 1#5');
    expect(nextCronTime(plan, 'UTC', Date.parse('2026-01-01T00:00Z'))).toBe(
      Date.parse('2044-02-29T00:00Z'),
    );
    expect(nextRuns('0 0 30 1 1#1', 'UTC', '2026-01-01T00:00Z', 1)).toEqual([]);
  });

  it('seconds are answered quickly on the day of a change too', () => {
    const runs = nextRuns('* * * * * *', 'Europe/Paris', '2026-10-25T00:59:58Z', 4);
    expect(runs).toEqual([
      '2026-10-25T00:59:59.000Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:00:01.000Z',
      '2026-10-25T01:00:02.000Z',
    ]);
  });

  it('in UTC: the first minute that node-cron itself matches', () => {
    const field = (max: number, min = 0) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min, max }).map(String),
        fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
      );
    const expression = fc
      .tuple(
        field(59),
        field(23),
        fc.constantFrom('*', '*', '1-20', '*/2'),
        fc.constant('*'),
        field(6),
      )
      .map((fields) => fields.join(' '));
    const from = fc.integer({ min: 28_000_000, max: 30_000_000 }).map((minute) => minute * 60_000);
    fc.assert(
      fc.property(expression, from, (pattern, fromMs) => {
        const due = nextCronTime(planCron(pattern), 'UTC', fromMs);
        const task = nodeCron.createTask(pattern, () => {}, { timezone: 'UTC' });
        void task.destroy();
        const limitMs = fromMs + 36 * 3_600_000;
        let expected = fromMs + 60_000;
        while (expected < limitMs && !task.match(new Date(expected))) expected += 60_000;
        if (expected < limitMs) expect(due).toBe(expected);
        else expect(due === null || due >= limitMs).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('instantsOf()', () => {
  it('every instant of a day is found again by what the clocks show then', () => {
    const zones = ['Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Tehran', 'UTC'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 1_500_000_000, max: 2_000_000_000 }),
        (zone, second) => {
          const wallMs = wallTimeMs(zone, second * 1000);
          const day = zoneDay(zone, Math.floor(wallMs / 86_400_000) * 86_400_000);
          expect(instantsOf(day, wallMs)).toContain(second * 1000);
        },
      ),
      { numRuns: 300 },
    );
  });
});
