import type { HandlersOf } from './handler.ts';

export const settingsHandlers: HandlersOf<'settings'> = {
  'settings.get': (_, { settings }) => ({
    ...settings,
    sources: settings.sources.map((source) => ({ ...source })),
  }),
};
