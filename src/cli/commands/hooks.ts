import type { HookPhase } from '../../config/hook-settings.ts';
import { cannot } from '../../kernel/errors.ts';
import type { MethodResult } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatDuration } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
import { runJob } from '../run-job.ts';

interface SourceOptions extends GlobalOptions {
  readonly source?: string;
}

interface SetOptions extends SourceOptions {
  readonly none?: boolean;
  readonly reset?: boolean;
  readonly timeout?: number;
}

interface PluginOptions extends GlobalOptions {
  readonly preset?: string;
  readonly command?: string;
  readonly include?: readonly string[];
  readonly directory?: string;
  readonly restoreCommand?: string;
}

type Hook = MethodResult<'hook.get'>['items'][number];
type Plugin = MethodResult<'plugin.list'>['items'][number];

const shown = (command: string | readonly string[] | null): string =>
  command === null ? '' : typeof command === 'string' ? command : command.join(' ');

const HOOK_COLUMNS: readonly Column<Hook>[] = [
  { title: 'WHEN', cell: ({ phase }) => phase },
  { title: 'FROM', cell: ({ from }) => from },
  { title: 'AT MOST', align: 'right', cell: ({ timeoutMs }) => formatDuration(timeoutMs) },
  { title: 'COMMAND', cell: ({ command }) => shown(command) },
];

const PLUGIN_COLUMNS: readonly Column<Plugin>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'DIRECTORY', cell: ({ directory }) => directory },
  { title: 'FILES', cell: ({ include }) => include.join(' ') },
  { title: 'COMMAND', cell: ({ command }) => shown(command) },
];

/** `holdfast hook show SOURCE` */
export const show: CommandRun<GlobalOptions> = (context, [source], options) =>
  withDaemon(context, options, async (daemon) => {
    const { items } = await daemon.call('hook.get', { sourceId: source! });
    printList(context, options, { items, nextCursor: null }, HOOK_COLUMNS, 'No hooks.');
    return EXIT.ok;
  });

/** `holdfast hook set PHASE [COMMAND] [--source SOURCE]` */
export const set: CommandRun<SetOptions> = (context, [phase, command], options) =>
  withDaemon(context, options, async (daemon) => {
    const { source } = options;
    const answer = await daemon.call('hook.set', {
      phase: phase as HookPhase,
      hook: hookGiven(command, options),
      ...(source === undefined ? {} : { sourceId: source }),
    });
    printDocument(context, options, answer, () => 'The hook is set.');
    return EXIT.ok;
  });

function hookGiven(command: string | undefined, { none, reset, timeout }: SetOptions) {
  const ways = [command !== undefined, none === true, reset === true].filter(Boolean).length;
  if (ways !== 1) {
    throw cannot('INVALID_PARAMS', 'set', 'hook', 'it is not clear to what', {
      hint: 'Give a command, or --none, or --reset.',
    });
  }
  if (none === true) return false;
  if (command === undefined) return null;
  return timeout === undefined ? command : { command, timeoutMs: timeout };
}

/** `holdfast hook test SOURCE PHASE` */
export const test: CommandRun<GlobalOptions> = (context, [source, phase], options) => {
  const params = { sourceId: source!, phase: phase as HookPhase };
  return runJob(context, options, {
    method: 'hook.test',
    params,
    offline: { kind: 'hook', params },
  });
};

/** `holdfast plugin list SOURCE` */
export const plugins: CommandRun<GlobalOptions> = (context, [source], options) =>
  withDaemon(context, options, async (daemon) => {
    const { items } = await daemon.call('plugin.list', { sourceId: source! });
    printList(context, options, { items, nextCursor: null }, PLUGIN_COLUMNS, 'No plugins.');
    return EXIT.ok;
  });

/** `holdfast plugin presets` */
export const presets: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const { items } = await daemon.call('plugin.presets', {});
    const columns: readonly Column<(typeof items)[number]>[] = [
      { title: 'NAME', cell: ({ name }) => name },
      { title: 'FILES', cell: ({ include }) => include.join(' ') },
      { title: 'COMMAND', cell: ({ command }) => command },
    ];
    printList(context, options, { items, nextCursor: null }, columns, 'No presets.');
    return EXIT.ok;
  });

/** `holdfast plugin add SOURCE NAME …` */
export const addPlugin: CommandRun<PluginOptions> = (context, [source, name], options) =>
  withDaemon(context, options, async (daemon) => {
    const { preset, command, include, directory, restoreCommand } = options;
    const plugin = { name, preset, command, include, directory, restoreCommand };
    const answer = await daemon.call('plugin.add', {
      sourceId: source!,
      plugin: Object.fromEntries(Object.entries(plugin).filter(([, value]) => value !== undefined)),
    });
    printDocument(context, options, answer, () => 'The plugin is added.');
    return EXIT.ok;
  });

/** `holdfast plugin remove SOURCE NAME` */
export const removePlugin: CommandRun<GlobalOptions> = (context, [source, name], options) =>
  withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('plugin.remove', { sourceId: source!, name: name! });
    printDocument(context, options, answer, () => 'The plugin is removed.');
    return EXIT.ok;
  });

/** `holdfast plugin run SOURCE NAME` */
export const runPlugin: CommandRun<GlobalOptions> = (context, [source, name], options) => {
  const params = { sourceId: source!, name: name! };
  return runJob(context, options, {
    method: 'plugin.run',
    params,
    offline: { kind: 'plugin', params },
  });
};
