import type { ScheduleDefinition, SourceSettings } from '../config/settings.ts';
import type { ScheduleSetRecord } from '../state/schedule-set-records.ts';
import { keyOf, keyText } from './schedule-key.ts';

export interface RejectedSchedule {
  readonly scheduleId: string;
  readonly sourceId: string | null;
  readonly reason: string;
}

export interface ChosenSchedules {
  readonly active: readonly ScheduleDefinition[];
  readonly rejected: readonly RejectedSchedule[];
}

/** Why a schedule is not in force; `gone` where its source is not there. Null: it is in force. */
export type Idleness = 'off' | 'paused' | 'gone' | null;

export function idlenessOf(
  schedule: ScheduleDefinition,
  { paused }: Pick<ScheduleSetRecord, 'paused'>,
  sources: readonly SourceSettings[],
): Idleness {
  const source = sources.find(({ id }) => id === schedule.sourceId);
  if (schedule.sourceId !== null && source === undefined) return 'gone';
  if (!schedule.enabled || source?.enabled === false) return 'off';
  return paused.all || paused.keys.includes(keyText(keyOf(schedule))) ? 'paused' : null;
}

export function chooseSchedules(
  record: Pick<ScheduleSetRecord, 'schedules' | 'paused'>,
  sources: readonly SourceSettings[],
): ChosenSchedules {
  const active: ScheduleDefinition[] = [];
  const rejected: RejectedSchedule[] = [];
  for (const schedule of record.schedules) {
    const idleness = idlenessOf(schedule, record, sources);
    if (idleness === null) active.push(schedule);
    if (idleness !== 'gone') continue;
    const { id, sourceId } = schedule;
    rejected.push({ scheduleId: id, sourceId, reason: 'its source is no longer there' });
  }
  return { active, rejected };
}
