import type { Configuration, SourceConfiguration } from './options.ts';
import type { ScheduleDefinition, ScheduleSettings, Settings, SourceSettings } from './settings.ts';
import type { ProblemList } from './validate-configuration.ts';

/** What the schema cannot say about schedules: their ids, what is due by default, and what does not go together. */

type GivenSchedule = SourceConfiguration['schedules'][number];
type Kind = ScheduleSettings['kind'];

const DAY_MS = 86_400_000;

/** Kinds that look after the repository: what was missed of them is left to the next time. */
const MAINTENANCE_KINDS: ReadonlySet<Kind> = new Set(['forget', 'prune', 'check']);

export const isMaintenance = (kind: Kind): boolean => MAINTENANCE_KINDS.has(kind);

/** A schedule with all that may be left out filled in. */
export function completeSchedule({ id, catchUp, ...given }: GivenSchedule): ScheduleSettings {
  return {
    ...given,
    id: id ?? given.kind,
    catchUp: catchUp ?? (isMaintenance(given.kind) ? 'none' : 'one'),
  };
}

/** Why this schedule makes no sense, or null. */
export function problemOfSchedule(
  schedule: Pick<ScheduleSettings, 'kind' | 'trigger' | 'jitterMs'>,
  isOfSource: boolean,
): string | null {
  const { kind, trigger, jitterMs } = schedule;
  if (!isOfSource && !isMaintenance(kind)) {
    return `"${kind}" is done to a source: it needs one`;
  }
  if (trigger.type === 'interval' && jitterMs >= trigger.intervalMs) {
    return '"jitterMs" must be shorter than the interval';
  }
  return null;
}

export function resolveSchedules(
  schedules: readonly GivenSchedule[],
  path: readonly (string | number)[],
  list: ProblemList,
): ScheduleSettings[] {
  const taken = new Set<string>();
  return schedules.map((given, index) => {
    const schedule = completeSchedule(given);
    if (taken.has(schedule.id)) {
      list.add([...path, index], `a second schedule with the id "${schedule.id}"`);
    }
    taken.add(schedule.id);
    const problem = problemOfSchedule(schedule, path[0] === 'sources');
    if (problem !== null) list.add([...path, index], problem);
    return schedule;
  });
}

/** Schedules of the repository as a whole: those that are given, or those that its sources call for. */
export function resolveRepositorySchedules(
  { schedules }: Pick<Configuration, 'schedules'>,
  sources: readonly SourceSettings[],
  list: ProblemList,
): ScheduleSettings[] {
  if (schedules !== undefined) return resolveSchedules(schedules, ['schedules'], list);
  if (sources.length === 0) return [];
  const check = every(7 * DAY_MS, 'check');
  if (sources.every(({ retention }) => retention === null)) return [check];
  return [every(DAY_MS, 'forget'), every(7 * DAY_MS, 'prune'), check];
}

function every(intervalMs: number, kind: Kind): ScheduleSettings {
  const trigger = { type: 'interval', intervalMs } as const;
  return { id: kind, kind, trigger, enabled: true, catchUp: 'none', jitterMs: 0, overlap: 'skip' };
}

/** All schedules of the settings, in their order, each with what it is for. */
export function scheduleDefinitions(
  settings: Pick<Settings, 'schedules' | 'sources'>,
): ScheduleDefinition[] {
  return [
    ...settings.schedules.map((schedule) => ({ ...schedule, sourceId: null })),
    ...settings.sources.flatMap(({ id, schedules }) =>
      schedules.map((schedule) => ({ ...schedule, sourceId: id })),
    ),
  ];
}

/**
 * Whether backups of a source come more often than once a day: if not, `keepHourly` keeps nothing that
 * `keepDaily` would not.
 */
export function isSubDaily(
  source: Pick<SourceSettings, 'watch' | 'id'>,
  definitions: readonly ScheduleDefinition[],
): boolean {
  if (source.watch.enabled) return true;
  const own = definitions.filter(
    ({ kind, enabled, sourceId }) => kind === 'backup' && enabled && sourceId === source.id,
  );
  return own.some(({ trigger }) =>
    trigger.type === 'interval'
      ? trigger.intervalMs < DAY_MS
      : // Minute and hour fields that name one value each give one run a day.
        !/^\d+$/.test(cronField(trigger.expression, 0)) ||
        !/^\d+$/.test(cronField(trigger.expression, 1)),
  );
}

/** Field 0 is the minute, 1 the hour, whether or not seconds stand before them. */
function cronField(expression: string, index: number): string {
  const fields = expression.trim().split(/\s+/);
  return fields[fields.length - 5 + index] ?? '';
}
