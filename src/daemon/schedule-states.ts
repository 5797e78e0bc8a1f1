import type { SourceSettings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { isoTime } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import type { ScheduleState } from '../protocol/method-map.ts';
import type { ScheduleRecords } from '../state/schedule-records.ts';
import { idlenessOf } from '../triggers/schedule-choice.ts';
import { keyOf } from '../triggers/schedule-key.ts';
import type { ScheduleSet } from '../triggers/schedule-set.ts';

const timeOrNull = (timeMs: number | null | undefined): string | null =>
  timeMs === null || timeMs === undefined ? null : isoTime(timeMs);

/** Every schedule with its persisted due time; one that is not in force has none. */
export function scheduleStates(
  { record: set }: Pick<ScheduleSet, 'record'>,
  sources: readonly SourceSettings[],
  records: Pick<ScheduleRecords, 'get'>,
  queue: Pick<JobQueue, 'get'>,
): ScheduleState[] {
  return set.schedules.map((schedule) => {
    const { sourceId, scheduleId } = keyOf(schedule);
    const record = records.get(sourceId, scheduleId);
    const idleness = idlenessOf(schedule, set, sources);
    const lastJobId = record?.lastRunJobId ?? null;
    const job = lastJobId === null ? null : jobIfKept(queue, lastJobId);
    return {
      ...schedule,
      origin: set.origin,
      idleness,
      nextDueAt: idleness === null ? timeOrNull(record?.nextDueAt) : null,
      lastDueAt: timeOrNull(record?.lastDueAt),
      lastRunAt: job?.startedAt ?? null,
      lastStatus: job?.status ?? null,
      lastJobId,
    };
  });
}

/** Null where the job is no longer remembered. */
export function jobIfKept(queue: Pick<JobQueue, 'get'>, id: string): Job | null {
  try {
    return queue.get(id);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}
