import type { ScheduleReference } from '../triggers/schedule-edits.ts';
import { schedulesByDueTime } from './daemon-status.ts';
import type { HandlersOf } from './handler.ts';
import { pageByPosition } from './pages.ts';
import { findSource } from './source-reference.ts';

export const scheduleHandlers: HandlersOf<'schedule'> = {
  'schedule.list': (params, context) => {
    const sourceId =
      params.sourceId === undefined ? null : findSource(context.settings, params.sourceId).id;
    const schedules = context
      .schedules()
      .filter((each) => sourceId === null || each.sourceId === sourceId);
    const scope = ['schedule.list', sourceId];
    return pageByPosition(schedulesByDueTime(schedules), params, scope, (schedule) => schedule);
  },
  'schedule.status': (_, { scheduleSet }) => scheduleSet.acknowledgement(),
  'schedule.set': ({ schedules, expectVersion }, { scheduleSet }) =>
    scheduleSet.replace(schedules, expectVersion),
  'schedule.add': ({ schedule, expectVersion }, { scheduleSet }) =>
    scheduleSet.add(schedule, expectVersion),
  'schedule.update': ({ changes, expectVersion, ...reference }, { scheduleSet }) =>
    scheduleSet.update(reference, changes, expectVersion),
  'schedule.remove': ({ expectVersion, ...reference }, { scheduleSet }) =>
    scheduleSet.remove(reference, expectVersion),
  'schedule.reset': ({ expectVersion }, { scheduleSet }) => scheduleSet.reset(expectVersion),
  'schedule.pause': (params, { scheduleSet }) => scheduleSet.setPaused(oneOrAll(params), true),
  'schedule.resume': (params, { scheduleSet }) => scheduleSet.setPaused(oneOrAll(params), false),
};

function oneOrAll(params: {
  scheduleId?: string | undefined;
  sourceId?: string | null | undefined;
}): ScheduleReference | null {
  const { scheduleId, sourceId } = params;
  return scheduleId === undefined ? null : { scheduleId, sourceId };
}

export const pendingHandlers: HandlersOf<'pending'> = {
  'pending.list': (params, { retries }) =>
    pageByPosition(retries.list(), params, 'pending.list', (pending) => pending),
  'pending.drop': ({ scheduleId, sourceId }, { settings, retries }) => {
    const source = settings.sources.find(({ id, name }) => id === sourceId || name === sourceId);
    retries.drop({ scheduleId, sourceId: source?.id ?? sourceId });
    return { dropped: true };
  },
};
