import type { MethodResult } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { readInput } from '../read-input.ts';
import { printDocument, printList } from '../report.ts';

const SECRET_BYTES_MAX = 16_384;

/** `holdfast secret set NAME`: the value comes from stdin, since others see command lines. */
export const set: CommandRun<GlobalOptions> = async (context, [name], options) => {
  if (context.terminal.interactive) context.terminal.note('The value, then Ctrl-D:');
  const text = await readInput(context, '-', SECRET_BYTES_MAX);
  // `echo` ends its line; the value of a secret hardly does.
  const value = text.replace(/\r?\n$/, '');
  return withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('secret.set', { name: name!, value });
    printDocument(context, options, result, () => `Kept ${name}.`);
    return EXIT.ok;
  });
};

/** `holdfast secret clear NAME` */
export const clear: CommandRun<GlobalOptions> = (context, [name], options) =>
  withDaemon(context, options, async (daemon) => {
    const result = await daemon.call('secret.clear', { name: name! });
    printDocument(context, options, result, () => `Forgot ${name}.`);
    return EXIT.ok;
  });

const COLUMNS: readonly Column<MethodResult<'secret.list'>['items'][number]>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'SET', cell: ({ setAt }) => formatTime(setAt) },
];

/** `holdfast secret` */
export const list: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const { items } = await daemon.call('secret.list', {});
    printList(context, options, { items, nextCursor: null }, COLUMNS, 'No secrets.');
    return EXIT.ok;
  });
