import { join } from 'node:path';
import { configurationSchema } from '../options.ts';
import type { Settings, SourceSettings } from '../settings.ts';

/** Settings for tests: every option at its default, so that a new option need not be written into each test. */

/** A source named `app`, not watched, without roots and schedules unless they are given. */
export function testSource(changes: Partial<SourceSettings> = {}): SourceSettings {
  const { sources } = configurationSchema.parse({
    sources: [{ name: 'app', id: 'app', roots: ['/'], schedules: [] }],
  });
  const source = sources[0]!;
  return {
    ...source,
    id: 'app',
    roots: [],
    schedules: [],
    retention: null,
    plugins: [],
    watch: { ...source.watch, enabled: false },
    ...changes,
  };
}

/** State, repository and socket below `directory`; no sources unless they are given. */
export function testSettings(directory: string, changes: Partial<Settings> = {}): Settings {
  return {
    ...configurationSchema.parse({}),
    schedules: [],
    stateDirectory: join(directory, 'state'),
    repositoryDirectory: join(directory, 'repository'),
    socketPath: join(directory, 'socket'),
    sources: [],
    ...changes,
  };
}
