import { lstat, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import picomatch from 'picomatch';
import type { PluginSettings } from '../config/hook-settings.ts';
import { systemCode } from '../kernel/errors.ts';
import type { HookFacts } from './hook-environment.ts';
import { hookEnvironment } from './hook-environment.ts';
import { failureOf, type HookContext, type HookResult, runLogged } from './run-hook.ts';

/** What one plugin may collect. */
const FILES_MAX = 10_000;
const BYTES_MAX = 2 ** 30;
/** Entries looked at below the directory of a plugin. */
const ENTRIES_MAX = 200_000;

export interface PluginResult {
  readonly name: string;
  /** False: its files are not in the snapshot, unless they lie in a root of the source. */
  readonly ok: boolean;
  readonly files: number;
  readonly bytes: number;
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
  readonly reason: string | null;
  /** Null where there is no command. */
  readonly command: HookResult | null;
}

/** Runs the plugins one after the other; one that fails stops none of the others. */
export async function runPlugins(
  plugins: readonly PluginSettings[],
  facts: Omit<HookFacts, 'phase'>,
  context: HookContext,
): Promise<PluginResult[]> {
  const results: PluginResult[] = [];
  for (const plugin of plugins) {
    context.activity.signal.throwIfAborted();
    context.activity.progress({ phase: 'plugins', currentFile: plugin.name });
    results.push(await runPlugin(plugin, facts, context));
  }
  return results;
}

async function runPlugin(
  plugin: PluginSettings,
  facts: Omit<HookFacts, 'phase'>,
  context: HookContext,
): Promise<PluginResult> {
  const { activity } = context;
  const command = await runPluginCommand(plugin, 'plugin', plugin.command, facts, context);
  const nothing = { name: plugin.name, files: 0, bytes: 0, unmatched: [], command };
  if (command?.ok === false) {
    activity.signal.throwIfAborted();
    const reason = failureOf(command);
    activity.warn(`Plugin ${plugin.name} failed, its files are left out: ${reason}`);
    return { ...nothing, ok: false, reason };
  }
  const { files, bytes, unmatched, reason } = await countCollected(plugin);
  if (reason !== null) activity.warn(`Plugin ${plugin.name}: its files are left out: ${reason}`);
  for (const pattern of unmatched) {
    activity.warn(`Plugin ${plugin.name}: nothing matches ${pattern}`);
  }
  return { ...nothing, ok: reason === null, files, bytes, unmatched, reason };
}

/** Null where there is no such command. */
export async function runPluginCommand(
  { name, directory, timeoutMs }: PluginSettings,
  phase: string,
  command: PluginSettings['command'],
  facts: Omit<HookFacts, 'phase'>,
  context: HookContext,
): Promise<HookResult | null> {
  if (command === null) return null;
  const environment = {
    ...hookEnvironment({ ...facts, phase }, false),
    HOLDFAST_PLUGIN: name,
  };
  const { signal } = context.activity;
  return runLogged(
    command,
    `${phase}(${name})`,
    { directory, environment, timeoutMs, signal },
    context,
  );
}

/** Counts what the patterns match now; symlinks are not followed. `reason` says which bound is exceeded. */
async function countCollected(
  plugin: PluginSettings,
): Promise<Pick<PluginResult, 'files' | 'bytes' | 'unmatched' | 'reason'>> {
  const patterns = plugin.include.map((text) => ({
    text,
    matches: picomatch(text, { dot: true }),
    found: false,
  }));
  let [files, bytes, entries] = [0, 0, 0];
  const unmatched = () => patterns.filter(({ found }) => !found).map(({ text }) => text);
  for await (const { path, size } of filesBelow(plugin.directory)) {
    entries += 1;
    if (entries > ENTRIES_MAX) {
      return { files, bytes, unmatched: [], reason: `it has more than ${ENTRIES_MAX} files` };
    }
    const matching = patterns.filter(({ matches }) => matches(path));
    if (matching.length === 0) continue;
    for (const each of matching) each.found = true;
    files += 1;
    bytes += size;
    if (files > FILES_MAX) {
      return { files, bytes, unmatched: [], reason: `more than ${FILES_MAX} files match` };
    }
    if (bytes > BYTES_MAX)
      return { files, bytes, unmatched: [], reason: 'more than 1 GiB matches' };
  }
  return { files, bytes, unmatched: unmatched(), reason: null };
}

async function* filesBelow(
  directory: string,
): AsyncGenerator<{ readonly path: string; readonly size: number }> {
  const waiting = [directory];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of await entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      if (!entry.isFile()) continue;
      const stat = await lstat(path).catch(() => null);
      const shown = relative(directory, path).split(sep).join('/');
      if (stat !== null) yield { path: shown, size: stat.size };
    }
  }
}

/** None where the directory is gone or may not be read: the capture says what it leaves out. */
async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
