import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { versionOf } from '../expected-version.ts';
import type { GlobalOptions } from '../global-options.ts';
import { readInput } from '../read-input.ts';
import { printDocument, printJson } from '../report.ts';
import {
  assignments,
  PATCH_BYTES_MAX,
  patchDocument,
  type SettingsPatch,
} from '../setting-values.ts';

interface ChangeOptions extends GlobalOptions {
  readonly expectVersion?: number;
}

/** `holdfast settings`: what is in force, always as JSON. */
export const get: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const document = await daemon.call('settings.get', {});
    if (options.json === true) printJson(context, document);
    else context.terminal.out(JSON.stringify(document, null, 2));
    return EXIT.ok;
  });

/** `holdfast settings set KEY=VALUE…` */
export const set: CommandRun<ChangeOptions> = (context, words, options) =>
  update(context, options, assignments(words));

/** `holdfast settings patch FILE` */
export const patch: CommandRun<ChangeOptions> = async (context, [file], options) =>
  update(context, options, patchDocument(await readInput(context, file!, PATCH_BYTES_MAX), file!));

/** `holdfast settings reset` */
export const reset: CommandRun<ChangeOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('settings.reset', versionOf(options));
    printDocument(context, options, result, describeVersion);
    return EXIT.ok;
  });

function update(
  context: CommandContext,
  options: ChangeOptions,
  change: SettingsPatch,
): Promise<ExitCode> {
  return withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('settings.update', { patch: change, ...versionOf(options) });
    printDocument(context, options, result, describeVersion);
    return EXIT.ok;
  });
}

const describeVersion = ({ version }: { readonly version: number }): string =>
  `In force: version ${version}.`;
