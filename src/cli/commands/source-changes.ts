import { resolve } from 'node:path';
import type { MethodResult } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { versionOf } from '../expected-version.ts';
import type { GlobalOptions } from '../global-options.ts';
import type { Column } from '../output/table.ts';
import { readInput } from '../read-input.ts';
import { printDocument, printList } from '../report.ts';
import { runJob } from '../run-job.ts';
import {
  assignments,
  PATCH_BYTES_MAX,
  patchDocument,
  type SettingsPatch,
} from '../setting-values.ts';

interface ChangeOptions extends GlobalOptions {
  readonly expectVersion?: number;
  readonly from?: string;
}

/** What a file says, and over it what was written on the command line. */
async function patchOf(
  context: CommandContext,
  { from }: ChangeOptions,
  words: readonly (string | undefined)[],
): Promise<SettingsPatch> {
  const written = assignments(words);
  if (from === undefined) return written;
  const text = await readInput(context, from, PATCH_BYTES_MAX);
  return { ...patchDocument(text, from), ...written };
}

interface AddOptions extends ChangeOptions {
  readonly set?: readonly string[];
}

/** `holdfast source add NAME [DIRECTORY…]` */
export const add: CommandRun<AddOptions> = async (context, [name, ...directories], options) => {
  const roots = directories.map((directory) => ({ class: 'data', path: resolve(directory!) }));
  const source = {
    ...(await patchOf(context, options, options.set ?? [])),
    name,
    ...(roots.length === 0 ? {} : { roots }),
  };
  return withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('source.add', { source, ...versionOf(options) });
    printDocument(context, options, result, describe('Added'));
    return EXIT.ok;
  });
};

/** `holdfast source update SOURCE KEY=VALUE…` */
export const update: CommandRun<ChangeOptions> = async (context, [sourceId, ...words], options) => {
  const patch = await patchOf(context, options, words);
  return withDaemon(context, options, async (daemon) => {
    const params = { sourceId: sourceId!, patch, ...versionOf(options) };
    const result = await daemon.call('source.update', params);
    printDocument(context, options, result, describe('Changed'));
    return EXIT.ok;
  });
};

/** `holdfast source rename SOURCE NAME` */
export const rename: CommandRun<ChangeOptions> = (context, [sourceId, name], options) =>
  withDaemon(context, options, async (daemon) => {
    const params = { sourceId: sourceId!, name: name!, ...versionOf(options) };
    const result = await daemon.call('source.rename', params);
    printDocument(context, options, result, describe('Renamed'));
    return EXIT.ok;
  });

/** `holdfast source remove SOURCE` */
export const remove: CommandRun<ChangeOptions & { readonly yes?: boolean }> = async (
  context,
  [sourceId],
  options,
) => {
  await requireConfirmation(context, options, {
    verb: 'stop protecting',
    thing: sourceId!,
    question: `Take no more snapshots of ${sourceId}? Those that there are stay.`,
  });
  return withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('source.remove', {
      sourceId: sourceId!,
      ...versionOf(options),
    });
    printDocument(
      context,
      options,
      result,
      ({ sourceId: id }) => `Removed ${id}; its snapshots stay.`,
    );
    return EXIT.ok;
  });
};

/** `holdfast source reset SOURCE` */
export const reset: CommandRun<ChangeOptions> = (context, [sourceId], options) =>
  withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('source.reset', {
      sourceId: sourceId!,
      ...versionOf(options),
    });
    printDocument(context, options, result, ({ sourceId: id }) => `${id} is as configured.`);
    return EXIT.ok;
  });

const WARNING_COLUMNS: readonly Column<MethodResult<'source.lint'>['items'][number]>[] = [
  { title: 'WARNING', cell: ({ code }) => code },
  { title: 'WHAT', cell: ({ message }) => message },
];

/** `holdfast source lint [SOURCE]`: exit 3 where there is something to say. */
export const lint: CommandRun<GlobalOptions> = (context, [sourceId], options) =>
  withDaemon(context, options, async (daemon) => {
    const { items } = await daemon.call('source.lint', sourceId === undefined ? {} : { sourceId });
    printList(context, options, { items, nextCursor: null }, WARNING_COLUMNS, 'Nothing to say.');
    return items.length === 0 ? EXIT.ok : EXIT.warnings;
  });

/** `holdfast source coverage SOURCE` */
export const coverage: CommandRun<GlobalOptions> = (context, [sourceId], options) => {
  const params = { sourceId: sourceId! };
  const offline = { kind: 'coverage', params } as const;
  return runJob(context, options, { method: 'source.coverage', params, offline });
};

/** `holdfast source discover DIRECTORY` */
export const discover: CommandRun<GlobalOptions & { readonly depth: number }> = (
  context,
  [directory],
  options,
) => {
  const params = { directory: resolve(directory!), depth: options.depth };
  const offline = { kind: 'discover', params } as const;
  return runJob(context, options, { method: 'source.discover', params, offline });
};

function describe(verb: string): (result: MethodResult<'source.add'>) => string {
  return ({ sourceId, version, warnings }) =>
    [
      `${verb} ${sourceId}: version ${version}.`,
      ...warnings.map(({ message }) => `Mind: ${message}`),
    ].join('\n');
}
