import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, sourceReference } from './scalars.ts';
import { expectVersion } from './settings.ts';

/** What collects the files that an application gives out by a command. */

const command = z.union([z.string(), z.array(z.string())]).nullable();

const pluginItem = z.object({
  name: z.string(),
  preset: z.string().nullable(),
  command,
  directory: z.string(),
  include: z.array(z.string()),
  restoreCommand: command,
  timeoutMs: count,
});

const changed = z.object({ version: count });

export const pluginMethods = {
  'plugin.list': {
    summary: 'The plugins of a source.',
    params: z.strictObject({ sourceId: sourceReference }),
    result: z.object({ items: z.array(pluginItem) }),
  },
  'plugin.presets': {
    summary: 'Plugins that need no more than their name.',
    params: z.strictObject({}),
    result: z.object({
      items: z.array(
        z.object({ name: z.string(), command: z.string(), include: z.array(z.string()) }),
      ),
    }),
  },
  'plugin.add': {
    summary:
      'Adds a plugin to a source, in place of the one of that name: as the configuration has it.',
    params: z.strictObject({
      sourceId: sourceReference,
      plugin: z.record(z.string(), z.unknown()),
      expectVersion,
    }),
    result: changed,
  },
  'plugin.remove': {
    summary: 'Takes a plugin from a source.',
    params: z.strictObject({ sourceId: sourceReference, name: z.string().min(1), expectVersion }),
    result: changed,
  },
  'plugin.run': {
    summary: 'Enqueues running one plugin alone: what it would collect is counted, not stored.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      name: z.string().min(1),
      idempotencyKey,
    }),
    result: submitted,
  },
};
