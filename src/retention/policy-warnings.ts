import type { ScheduleSettings, SourceSettings } from '../config/settings.ts';

const DAY_MS = 86_400_000;

/** What is odd about the retention of a source, in words; empty where nothing is. */
export function retentionWarnings(source: SourceSettings): string[] {
  const { retention, watch, schedules } = source;
  const keepsHours = [retention, ...Object.values(retention?.origins ?? {})].some(
    (rules) => rules != null && rules.keepHourly !== null && rules.keepHourly !== 0,
  );
  const isOftenEnough = watch.enabled || schedules.some((schedule) => isSubDaily(schedule));
  if (!keepsHours || isOftenEnough) return [];
  return [
    'keepHourly is set, but nothing takes a snapshot more often than once a day: no schedule does, and changes are not watched',
  ];
}

/** A backup that is due more than once on a day on which it is due at all. */
function isSubDaily({ kind, enabled, trigger }: ScheduleSettings): boolean {
  if (kind !== 'backup' || !enabled) return false;
  if (trigger.type === 'interval') return trigger.intervalMs < DAY_MS;
  const fields = trigger.expression.trim().split(/\s+/);
  const timesOfDay = fields.slice(0, fields.length - 3);
  return timesOfDay.some((field) => !/^\d+$/.test(field));
}
