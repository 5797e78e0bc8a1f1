import type { PendingRun } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatAge, formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const columns = (nowMs: number): Column<PendingRun>[] => [
  { title: 'SCHEDULE', cell: ({ scheduleId }) => scheduleId },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'OF', cell: ({ scheduledAt }) => formatTime(scheduledAt) },
  { title: 'FAILED', align: 'right', cell: ({ attempt }) => String(attempt) },
  { title: 'NEXT', cell: ({ nextAttemptAt }) => formatAge(nextAttemptAt, nowMs) },
  { title: 'REASON', cell: ({ lastError }) => `${lastError.code}: ${lastError.message}` },
];

/** `holdfast schedule pending` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('pending.list', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    });
    printList(
      context,
      options,
      page,
      columns(context.clock.nowMs()),
      'Nothing is to be tried again.',
    );
    return EXIT.ok;
  });

/** `holdfast schedule drop ID --source SOURCE` */
export const drop: CommandRun<GlobalOptions & { readonly source: string }> = (
  context,
  [id],
  options,
) =>
  withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('pending.drop', {
      scheduleId: id!,
      sourceId: options.source,
    });
    printDocument(context, options, answer, () => `${id} is not tried again; its next tick runs.`);
    return EXIT.ok;
  });
