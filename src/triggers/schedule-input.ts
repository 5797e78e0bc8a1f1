import { z } from 'zod';
import { objectOf } from '../config/option.ts';
import { CRON_PROBLEM } from '../config/option-values.ts';
import { scheduleOptions } from '../config/options/schedule-options.ts';
import { completeSchedule, problemOfSchedule } from '../config/resolve-schedules.ts';
import type { ScheduleDefinition, SourceSettings } from '../config/settings.ts';
import { cannot } from '../kernel/errors.ts';
import { keyOf, keyText } from './schedule-key.ts';

/** A set holds no more than these. */
export const SCHEDULES_MAX = 1_000;
const PROBLEMS_IN_MESSAGE_MAX = 5;

const inputSchema = z.strictObject({
  ...objectOf(scheduleOptions).shape,
  /** Id or name. */
  sourceId: z.string().min(1).max(200).nullish(),
});

interface InputProblem {
  readonly index: number;
  /** As far as it could be read. */
  readonly scheduleId: string | null;
  readonly message: string;
  readonly isCron: boolean;
}

/**
 * Schedules as a client wrote them, checked by the parser that the scheduler goes by and filled in; all or none.
 * @throws INVALID_CRON where an expression is bad, else INVALID_PARAMS; `details.problems` names each bad one
 */
export function readSchedules(
  given: readonly unknown[],
  sources: readonly SourceSettings[],
): ScheduleDefinition[] {
  const problems: InputProblem[] = [];
  const taken = new Set<string>();
  const read = given.flatMap((value, index) => {
    const result = readSchedule(value, sources);
    const found = typeof result === 'string' ? [{ message: result, isCron: false }] : result;
    if (Array.isArray(found)) {
      const scheduleId = idOf(value);
      problems.push(...found.map((problem) => ({ index, scheduleId, ...problem })));
      return [];
    }
    const key = keyText(keyOf(found));
    if (taken.has(key)) {
      const message = `a second schedule with the id "${found.id}"`;
      problems.push({ index, scheduleId: found.id, message, isCron: false });
    }
    taken.add(key);
    return [found];
  });
  if (problems.length > 0) throw refusal(problems);
  if (read.length > SCHEDULES_MAX) {
    throw cannot(
      'LIMIT_EXCEEDED',
      'set',
      'schedules',
      `${read.length} are more than ${SCHEDULES_MAX}`,
    );
  }
  return read;
}

function readSchedule(
  value: unknown,
  sources: readonly SourceSettings[],
): ScheduleDefinition | string | Pick<InputProblem, 'message' | 'isCron'>[] {
  const parsed = inputSchema.safeParse(value);
  if (!parsed.success) {
    return parsed.error.issues.map((issue) => ({
      message: [...issue.path.map(String), issue.message].join(': '),
      isCron: issue.code === 'custom' && issue.params?.['problem'] === CRON_PROBLEM,
    }));
  }
  const { sourceId: reference, ...given } = parsed.data;
  const schedule = completeSchedule(given);
  const source = sources.find(({ id, name }) => id === reference || name === reference);
  if (reference != null && source === undefined)
    return `no source has the id or name "${reference}"`;
  const problem = problemOfSchedule(schedule, source !== undefined);
  return problem ?? { ...schedule, sourceId: source?.id ?? null };
}

function idOf(value: unknown): string | null {
  const id = (value as { id?: unknown } | null)?.id;
  return typeof id === 'string' ? id.slice(0, 64) : null;
}

function refusal(problems: readonly InputProblem[]) {
  const shown = problems
    .slice(0, PROBLEMS_IN_MESSAGE_MAX)
    .map(
      ({ index, scheduleId, message }) =>
        `schedules[${index}] (${scheduleId ?? 'no id'}): ${message}`,
    );
  const more = problems.length - shown.length;
  const state = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
  const code = problems.some(({ isCron }) => isCron) ? 'INVALID_CRON' : 'INVALID_PARAMS';
  return cannot(code, 'set', 'schedules', state, {
    hint: 'Nothing was changed: the schedules before go on.',
    details: {
      problems: problems.slice(0, 100).map(({ index, scheduleId, message }) => {
        return { index, scheduleId, message };
      }),
    },
  });
}
