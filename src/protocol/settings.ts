import { z } from 'zod';
import { count, nothing, sourceReference } from './scalars.ts';

/** Options by name, as in the configuration file; nested groups are merged, lists and policies replaced. */
export const settingsPatch = z.record(z.string().max(64), z.unknown());

/** Refused with VERSION_CONFLICT where the settings are at another version. */
export const expectVersion = count.optional();

export const settingsMethods = {
  'settings.get': {
    summary:
      'The settings in force, their version, and where each value comes from that is no default; docs/configuration.md describes every option.',
    params: nothing,
    result: z.looseObject({
      stateDirectory: z.string(),
      repositoryDirectory: z.string(),
      socketPath: z.string(),
      socketGroup: z.string().nullable(),
      logLevel: z.string(),
      codec: z.string(),
      verifyWrites: z.string(),
      worker: z.record(z.string(), z.union([z.number(), z.string()])),
      sources: z.array(z.looseObject({ id: z.string(), name: z.string() })),
      /** Rises with every change made over the socket; 0: none was ever made. */
      version: count,
      /** `watch.quietMs` or `sources.<id>.watch.quietMs` → `configuration`, `change`, or a flag's or variable's name. */
      origins: z.record(z.string(), z.string()),
      /** Changes that the configuration, edited since, leaves no room for: not in force. */
      setAside: z.array(z.object({ sourceId: sourceReference.nullable(), reason: z.string() })),
    }),
  },
  'settings.update': {
    summary:
      'Changes options while the daemon runs: absent leaves, null takes a change back, 0 is a value. All of it is validated before any of it holds; running jobs keep the settings they started with.',
    params: z.strictObject({ patch: settingsPatch, expectVersion }),
    result: z.object({ version: count }),
  },
  'settings.reset': {
    summary: 'Takes back every change of top-level options; sources stay as they are.',
    params: z.strictObject({ expectVersion }),
    result: z.object({ version: count }),
  },
};
