import { DEFAULT_EXCLUDES } from '../config/default-excludes.ts';
import { schedulesByDueTime, sourceState } from './daemon-status.ts';
import type { HandlersOf } from './handler.ts';
import { pageByPosition } from './pages.ts';
import { sourceChangeHandlers } from './source-changes.ts';
import { findSource } from './source-reference.ts';

export const sourceHandlers: HandlersOf<'source'> = {
  ...sourceChangeHandlers,
  'source.list': (params, context) =>
    pageByPosition(context.settings.sources, params, 'source.list', (source) =>
      sourceState(context, source),
    ),
  'source.get': ({ sourceId }, context) => {
    const source = findSource(context.settings, sourceId);
    const schedules = context.schedules().filter((each) => each.sourceId === source.id);
    return {
      ...sourceState(context, source),
      enabled: source.enabled,
      include: source.include,
      defaultExcludes: source.defaultExcludes ? DEFAULT_EXCLUDES : [],
      exclude: source.exclude,
      maxFileBytes: source.maxFileBytes,
      countLines: source.countLines,
      tags: source.tags,
      keys: source.keys,
      optionalDatabases: source.databases.optional,
      databaseDepth: source.databases.depth,
      databaseCheck: source.databases.check,
      watchSettings: source.watch,
      recoveryOnBoot: source.recovery.onBoot,
      schedules: schedulesByDueTime(schedules),
    };
  },
};
