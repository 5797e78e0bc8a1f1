import type {
  ScheduleDefinition,
  ScheduleSettings,
  SourceSettings,
  WatchSettings,
} from '../../config/settings.ts';
import { testSource } from '../../config/testing/settings.ts';

/** A source with one data root, watched with short times. */
export function sourceSettings(
  path: string,
  watch: Partial<WatchSettings> = {},
  schedules: readonly ScheduleSettings[] = [],
): SourceSettings {
  return testSource({
    roots: [{ class: 'data', name: null, path, required: true }],
    watch: {
      enabled: true,
      quietMs: 200,
      maxWaitMs: 60_000,
      minGapMs: 0,
      pollMs: 60_000,
      usePolling: false,
      ...watch,
    },
    schedules,
  });
}

export function interval(intervalMs: number, more: Partial<ScheduleDefinition> = {}) {
  const trigger = { type: 'interval', intervalMs } as const;
  return { ...SCHEDULE, trigger, ...more } satisfies ScheduleDefinition;
}

export function cron(expression: string, timeZone: string, more: Partial<ScheduleDefinition> = {}) {
  const trigger = { type: 'cron', expression, timeZone } as const;
  return { ...SCHEDULE, trigger, ...more } satisfies ScheduleDefinition;
}

const SCHEDULE = {
  id: 'backup',
  sourceId: 'app',
  kind: 'backup',
  enabled: true,
  catchUp: 'one',
  jitterMs: 0,
  overlap: 'skip',
} as const;
