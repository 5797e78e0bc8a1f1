import type { ScheduleSettings, SourceSettings, WatchSettings } from '../../config/settings.ts';

/** A source with one data root, watched with short times. */
export function sourceSettings(
  path: string,
  watch: Partial<WatchSettings> = {},
  schedules: readonly ScheduleSettings[] = [],
): SourceSettings {
  return {
    id: 'app',
    name: 'app',
    roots: [{ class: 'data', name: null, path, required: true }],
    exclude: [],
    databases: { depth: 0, check: 'quick' },
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
    recovery: {
      onBoot: 'recover',
      deadlineMsPerGigabyte: 30_000,
      allowPartial: true,
      maxLossRows: null,
      maxSnapshotAgeMs: null,
    },
    assertions: [],
  };
}

export function interval(intervalMs: number, more: Partial<ScheduleSettings> = {}) {
  const trigger = { type: 'interval', intervalMs } as const;
  return { ...SCHEDULE, trigger, ...more } satisfies ScheduleSettings;
}

export function cron(expression: string, timeZone: string, more: Partial<ScheduleSettings> = {}) {
  const trigger = { type: 'cron', expression, timeZone } as const;
  return { ...SCHEDULE, trigger, ...more } satisfies ScheduleSettings;
}

const SCHEDULE = { id: 'backup', kind: 'backup', enabled: true, catchUp: 'one' } as const;
