import type { Alert } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatAge } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: boolean;
}

const TONES = { info: 'faint', warning: 'warning', critical: 'bad' } as const;

const columns = (nowMs: number): Column<Alert>[] => [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'SEVERITY', cell: ({ severity }) => ({ text: severity, tone: TONES[severity] }) },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId ?? '-' },
  { title: 'SEEN', align: 'right', cell: ({ count }) => String(count) },
  { title: 'LAST', cell: ({ lastSeenAt }) => formatAge(lastSeenAt, nowMs) },
  { title: 'MESSAGE', cell: ({ message }) => message },
];

/** `holdfast alerts` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('alert.list', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      ...(options.all === true ? { states: ['open', 'acknowledged', 'resolved'] as const } : {}),
    });
    printList(context, options, page, columns(context.clock.nowMs()), 'No alerts.');
    return EXIT.ok;
  });

/** `holdfast alert ack ID` */
export const acknowledge: CommandRun<GlobalOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const alert = await daemon.call('alert.ack', { id: id! });
    printDocument(context, options, alert, ({ kind, state }) => `${kind} is ${state}.`);
    return EXIT.ok;
  });

/** `holdfast alert resolve ID` */
export const resolve: CommandRun<GlobalOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const alert = await daemon.call('alert.resolve', { id: id! });
    printDocument(context, options, alert, ({ kind, state }) => `${kind} is ${state}.`);
    return EXIT.ok;
  });
