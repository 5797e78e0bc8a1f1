import type { ScheduleDefinition, SourceSettings } from '../config/settings.ts';
import { cannot } from '../kernel/errors.ts';
import { readSchedules, SCHEDULES_MAX } from './schedule-input.ts';
import { keyOf, keyText } from './schedule-key.ts';

/** Changes of single schedules: each gives another list, and leaves the one it was given alone. */

type Schedules = readonly ScheduleDefinition[];

export interface ScheduleReference {
  readonly scheduleId: string;
  /** Id or name. Undefined: whichever one has this id; null: of the repository as a whole. */
  readonly sourceId?: string | null | undefined;
}

/** @throws INVALID_CRON, INVALID_PARAMS, LIMIT_EXCEEDED */
export function withSchedule(
  schedules: Schedules,
  given: unknown,
  sources: readonly SourceSettings[],
): Schedules {
  const added = readSchedules([given], sources)[0]!;
  const key = keyText(keyOf(added));
  if (schedules.some((each) => keyText(keyOf(each)) === key)) {
    throw cannot('INVALID_PARAMS', 'add schedule', added.id, 'there is one of this id', {
      hint: 'Give it another id, or change the one that is there: holdfast schedule update.',
    });
  }
  if (schedules.length >= SCHEDULES_MAX) {
    throw cannot('LIMIT_EXCEEDED', 'add schedule', added.id, `there are ${schedules.length}`);
  }
  return [...schedules, added];
}

/** @throws INVALID_CRON, INVALID_PARAMS, NOT_FOUND, AMBIGUOUS_ID */
export function withChanges(
  schedules: Schedules,
  reference: ScheduleReference,
  changes: object,
  sources: readonly SourceSettings[],
): Schedules {
  const target = findSchedule(schedules, reference, sources);
  const changed = readSchedules([{ ...target, ...changes }], sources)[0]!;
  return schedules.map((each) => (each === target ? changed : each));
}

/** @throws NOT_FOUND, AMBIGUOUS_ID */
export function findSchedule(
  schedules: Schedules,
  { scheduleId, sourceId: reference }: ScheduleReference,
  sources: readonly SourceSettings[],
): ScheduleDefinition {
  const source = sources.find(({ id, name }) => id === reference || name === reference);
  const wanted = source?.id ?? reference;
  const found = schedules.filter(
    ({ id, sourceId }) => id === scheduleId && (wanted === undefined || sourceId === wanted),
  );
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw cannot('AMBIGUOUS_ID', 'find schedule', scheduleId, `${found.length} have this id`, {
      hint: `Name the source too: ${found.map(({ sourceId }) => sourceId ?? 'none').join(', ')}.`,
    });
  }
  throw cannot('NOT_FOUND', 'find schedule', scheduleId, 'no schedule has this id', {
    hint: 'holdfast schedule list shows them all.',
  });
}
