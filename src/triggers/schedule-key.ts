import type { ScheduleDefinition } from '../config/settings.ts';

/** What names a schedule: its id and its source; of the repository as a whole the source is empty. */
export interface ScheduleKey {
  readonly sourceId: string;
  readonly scheduleId: string;
}

export function keyOf({ sourceId, id }: Pick<ScheduleDefinition, 'sourceId' | 'id'>): ScheduleKey {
  return { sourceId: sourceId ?? '', scheduleId: id };
}

/** Neither part may hold a slash. */
export function keyText({ sourceId, scheduleId }: ScheduleKey): string {
  return `${sourceId}/${scheduleId}`;
}
