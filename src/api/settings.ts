import { changeSettings } from '../config/settings-changes.ts';
import type { HandlersOf } from './handler.ts';

export const settingsHandlers: HandlersOf<'settings'> = {
  'settings.get': (_, { settings, configuration }) => ({
    ...settings,
    sources: settings.sources.map((source) => ({ ...source })),
    version: configuration.version,
    origins: configuration.origins(),
    setAside: [...configuration.setAside],
  }),
  'settings.update': async ({ patch, expectVersion }, { configuration }) => ({
    version: await configuration.change(expectVersion, (changes) => changeSettings(changes, patch)),
  }),
  'settings.reset': async ({ expectVersion }, { configuration }) => ({
    version: await configuration.change(expectVersion, (changes) => ({ ...changes, settings: {} })),
  }),
};
