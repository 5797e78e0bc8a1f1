import { schedulesByDueTime, sourceState } from './daemon-status.ts';
import type { HandlersOf } from './handler.ts';
import { pageByPosition } from './pages.ts';
import { findSource } from './source-reference.ts';

export const sourceHandlers: HandlersOf<'source'> = {
  'source.list': (params, context) =>
    pageByPosition(context.settings.sources, params, 'source.list', (source) =>
      sourceState(context, source),
    ),
  'source.get': ({ sourceId }, context) => {
    const source = findSource(context.settings, sourceId);
    const schedules = context.schedules().filter((each) => each.sourceId === source.id);
    return {
      ...sourceState(context, source),
      exclude: source.exclude,
      databaseDepth: source.databases.depth,
      databaseCheck: source.databases.check,
      watchSettings: source.watch,
      recoveryOnBoot: source.recovery.onBoot,
      schedules: schedulesByDueTime(schedules),
    };
  },
};

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
};
