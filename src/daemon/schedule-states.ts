import type { Settings } from '../config/settings.ts';
import { isoTime } from '../kernel/clock.ts';
import type { ScheduleState } from '../protocol/method-map.ts';
import type { ScheduleRecords } from '../state/schedule-records.ts';

const timeOrNull = (timeMs: number | null | undefined): string | null =>
  timeMs === null || timeMs === undefined ? null : isoTime(timeMs);

/** Every schedule with its persisted due time; one that is turned off has none. */
export function scheduleStates(settings: Settings, records: ScheduleRecords): ScheduleState[] {
  return settings.sources.flatMap(({ id: sourceId, schedules }) =>
    schedules.map((schedule) => {
      const record = schedule.enabled ? records.get(sourceId, schedule.id) : null;
      return {
        ...schedule,
        sourceId,
        nextDueAt: timeOrNull(record?.nextDueAt),
        lastRunAt: timeOrNull(record?.lastDueAt),
        lastJobId: record?.lastRunJobId ?? null,
      };
    }),
  );
}
