import type { PluginSettings } from './hook-settings.ts';
import type { SourceConfiguration } from './options.ts';
import { isInside, realPathOf } from './own-places.ts';
import { PLUGIN_PRESETS } from './plugin-presets.ts';
import type { RootSettings } from './settings.ts';
import type { ProblemList } from './validate-configuration.ts';

/** The name of the root of a plugin whose directory lies in no other root. */
export function pluginRootName(plugin: string): string {
  return `plugin-${plugin}`;
}

/** Presets filled in, names unique, directories real. */
export async function resolvePlugins(
  source: Pick<SourceConfiguration, 'plugins'>,
  roots: readonly RootSettings[],
  path: readonly (string | number)[],
  list: ProblemList,
): Promise<PluginSettings[]> {
  const taken = new Set<string>();
  const resolved: PluginSettings[] = [];
  for (const [index, plugin] of source.plugins.entries()) {
    const at = [...path, 'plugins', index];
    const preset = plugin.preset === null ? null : PLUGIN_PRESETS[plugin.preset];
    const name = plugin.name ?? plugin.preset;
    if (name === null) list.add(at, 'a plugin needs a "name" or a "preset"');
    else if (taken.has(name)) list.add([...at, 'name'], `a second plugin "${name}"`);
    taken.add(name ?? '');
    const directory = plugin.directory ?? roots[0]?.path ?? '/';
    resolved.push({
      ...plugin,
      name: name ?? '',
      command: plugin.command ?? preset?.command ?? null,
      directory: await realPathOf(directory),
      include: plugin.include ?? preset?.include ?? [],
    });
  }
  return resolved;
}

/**
 * The roots, with one for each plugin whose directory lies in none of them: what it collects is then captured,
 * watched and restored like anything else. Settings that were resolved before hold such roots already.
 */
export function withPluginRoots(
  roots: readonly RootSettings[],
  plugins: readonly PluginSettings[],
): RootSettings[] {
  const names = new Set(plugins.map(({ name }) => pluginRootName(name)));
  const own = roots.filter((root) => root.name === null || !names.has(root.name));
  const added = plugins
    .filter(({ directory, include }) => {
      return include.length > 0 && !own.some((root) => isInside(directory, root.path));
    })
    .map(({ name, directory, include }): RootSettings => {
      const root = { class: 'extra', name: pluginRootName(name), path: directory } as const;
      return { ...root, required: false, include };
    });
  return [...own, ...added];
}
