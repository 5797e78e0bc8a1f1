import { PLUGIN_PRESETS } from '../config/plugin-presets.ts';
import { changeSource } from '../config/settings-changes.ts';
import { cannot } from '../kernel/errors.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { findSource, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const pluginHandlers: HandlersOf<'plugin'> = {
  'plugin.list': ({ sourceId }, { settings }) => ({
    items: [...findSource(settings, sourceId).plugins],
  }),
  'plugin.presets': () => ({
    items: Object.entries(PLUGIN_PRESETS).map(([name, preset]) => ({ name, ...preset })),
  }),
  'plugin.add': ({ sourceId, plugin, expectVersion }, context) => {
    const name = plugin['name'] ?? plugin['preset'];
    return replacePlugins(context, sourceId, expectVersion, (plugins) => [
      ...plugins.filter((each) => each.name !== name),
      plugin,
    ]);
  },
  'plugin.remove': ({ sourceId, name, expectVersion }, context) =>
    replacePlugins(context, sourceId, expectVersion, (plugins) => {
      const left = plugins.filter((each) => each.name !== name);
      if (left.length < plugins.length) return left;
      throw cannot('NOT_FOUND', 'remove plugin', name, 'the source has no such plugin', {
        hint: `It has: ${plugins.map((each) => each.name).join(', ') || 'none'}.`,
      });
    }),
  'plugin.run': ({ sourceId: reference, name, idempotencyKey }, context) => {
    const sourceId = sourceOrOnly(context.settings, reference).id;
    return submitJob(context, {
      kind: 'plugin',
      sourceId,
      params: { sourceId, name },
      mutating: false,
      idempotencyKey,
    });
  },
};

type Plugins = ReturnType<typeof findSource>['plugins'];

/** @throws NOT_FOUND, VERSION_CONFLICT, CONFIG_INVALID */
async function replacePlugins(
  { settings, configuration }: ApiContext,
  reference: string,
  expectVersion: number | undefined,
  replace: (plugins: Plugins) => readonly object[],
): Promise<{ version: number }> {
  const { id } = findSource(settings, reference);
  const version = await configuration.change(expectVersion, (changes) => {
    const { plugins } = findSource(configuration.current, id);
    return changeSource(changes, id, { plugins: replace(plugins) });
  });
  return { version };
}
