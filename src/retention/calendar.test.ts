import { describe, expect, it } from 'vitest';
import { bucketLabel, localClock } from './calendar.ts';
import { DAY_MS, HOUR_MS, plan, series, taken } from './testing/candidates.ts';

const week = (at: string, zone = 'UTC'): string =>
  bucketLabel('weekly', localClock(zone)(Date.parse(at)));

describe('weeks', () => {
  it.each([
    ['2026-12-31T12:00:00Z', '2026-W53'],
    ['2027-01-03T12:00:00Z', '2026-W53'],
    ['2027-01-04T00:00:00Z', '2027-W01'],
    ['2024-12-30T00:00:00Z', '2025-W01'],
    ['2021-01-03T23:59:59Z', '2020-W53'],
    ['1969-12-31T23:00:00Z', '1970-W01'],
  ])('ISO week 53: %s is in %s', (at, label) => {
    expect(week(at)).toBe(label);
  });

  it('T-23: ISO week 53: the week around New Year is one week, in whichever year its days are', () => {
    const days = series('2027-01-10T12:00:00Z', 21, DAY_MS);
    const { kept, reasons } = plan(days, { keepWeekly: 2 });
    expect(kept).toEqual(['2027-01-10T12:00', '2027-01-03T12:00']);
    expect(reasons('2027-01-03T12:00')).toEqual(['weekly 2026-W53']);
  });
});

describe('days', () => {
  it('leap day: it is a day of February', () => {
    const days = series('2028-03-02T12:00:00Z', 4, DAY_MS);
    const { kept, reasons } = plan(days, { keepDaily: 3 });
    expect(kept.map((id) => id.slice(0, 10))).toEqual(['2028-03-02', '2028-03-01', '2028-02-29']);
    expect(reasons('2028-02-29T12:00')).toEqual(['daily 2028-02-29']);
    expect(plan(days, { keepMonthly: 2 }).kept).toEqual(['2028-03-02T12:00', '2028-02-29T12:00']);
  });

  it('begin where the policy says', () => {
    const late = [taken('2026-06-01T22:30:00Z'), taken('2026-06-01T21:30:00Z')];
    expect(plan(late, { keepDaily: 2 }).kept).toHaveLength(1 + 1);
    expect(plan(late, { keepDaily: 1, timeZone: 'Europe/Paris' }).reasons(late[0]!.id)).toContain(
      'daily 2026-06-02',
    );
    const zones = ['UTC', 'Europe/Paris'].map(
      (timeZone) => plan([...late, taken('2026-05-01T00:00:00Z')], { keepDaily: 2, timeZone }).kept,
    );
    expect(zones[0]).toEqual(['2026-06-01T22:30', '2026-05-01T00:00']);
    expect(zones[1]).toEqual(['2026-06-01T22:30', '2026-06-01T21:30']);
  });

  it.each([
    ['Europe/Paris', '2026-10-25', 25],
    ['Europe/Paris', '2026-03-29', 23],
    ['America/New_York', '2026-11-01', 25],
    ['America/New_York', '2026-03-08', 23],
  ])('DST: in %s %s has %i hours and is one day', (timeZone, day, hours) => {
    const all = series(`${day}T12:00:00Z`, 40, HOUR_MS).concat(
      series(`${day}T23:00:00Z`, 11, HOUR_MS),
      series(new Date(Date.parse(`${day}T23:00:00Z`) + DAY_MS).toISOString(), 24, HOUR_MS),
    );
    const clock = localClock(timeZone);
    const own = all.filter(({ capturedAtMs }) => bucketLabel('daily', clock(capturedAtMs)) === day);
    expect(own).toHaveLength(hours);
    // Every hour is one, also that which comes twice.
    expect(plan(own, { keepHourly: 30, timeZone }).kept).toHaveLength(hours);
    expect(plan(own, { keepDaily: 1, timeZone }).kept).toHaveLength(1);
  });
});
