import { describe, expect, it } from 'vitest';
import type { ScheduleSettings } from '../config/settings.ts';
import { testSource } from '../config/testing/settings.ts';
import { retentionWarnings } from './policy-warnings.ts';
import { policyOf } from './testing/candidates.ts';

const cron = (expression: string) => ({ type: 'cron', expression, timeZone: 'UTC' }) as const;

function warningsWith(
  trigger: ScheduleSettings['trigger'] | null,
  written: Record<string, unknown> = { keepHourly: 24 },
  watches = false,
): number {
  const [schedule] = testSource({ schedules: [] }).schedules;
  const own = { ...schedule, id: 'backup', kind: 'backup', enabled: true, trigger };
  const source = testSource({
    retention: policyOf(written),
    schedules: trigger === null ? [] : [own as ScheduleSettings],
  });
  return retentionWarnings({ ...source, watch: { ...source.watch, enabled: watches } }).length;
}

describe('retentionWarnings()', () => {
  it.each(['0 3 * * *', '30 0 3 * * 1', '15 12 1 * *'])(
    'M-48: keepHourly where nothing is taken more than once a day is told: %s',
    (expression) => expect(warningsWith(cron(expression))).toBe(1),
  );

  it.each(['0 * * * *', '*/10 3 * * *', '0 3,15 * * *', '0 0 8-17 * * 1-5'])(
    'M-48: it is not where a schedule is: %s',
    (expression) => expect(warningsWith(cron(expression))).toBe(0),
  );

  it('M-48: intervals, changes and origins count too', () => {
    expect(warningsWith(null)).toBe(1);
    expect(warningsWith({ type: 'interval', intervalMs: 86_400_000 })).toBe(1);
    expect(warningsWith({ type: 'interval', intervalMs: 3_600_000 })).toBe(0);
    expect(warningsWith(null, { keepHourly: 24 }, true)).toBe(0);
    expect(warningsWith(null, { keepDaily: 24 })).toBe(0);
    expect(warningsWith(null, { keepDaily: 1, origins: { manual: { keepHourly: 2 } } })).toBe(1);
    expect(retentionWarnings(testSource())).toEqual([]);
  });
});
