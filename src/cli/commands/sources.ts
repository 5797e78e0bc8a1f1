import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { DATABASE_COLUMNS } from '../output/recovery-summary.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { printDocument, printJson, printList } from '../report.ts';
import { scheduleColumns, sourceColumns } from './status.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const pageOf = ({ limit, cursor }: ListOptions) => ({
  limit,
  ...(cursor === undefined ? {} : { cursor }),
});

/** `holdfast source` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('source.list', pageOf(options));
    printList(context, options, page, sourceColumns(context.clock.nowMs()), 'No sources.');
    return EXIT.ok;
  });

/** `holdfast source show SOURCE` */
export const show: CommandRun<GlobalOptions> = (context, [sourceId], options) =>
  withDaemon(context, options, async (daemon) => {
    const source = await daemon.call('source.get', { sourceId: sourceId! });
    const nowMs = context.clock.nowMs();
    const { color } = context.terminal;
    printDocument(context, options, source, (document) =>
      [
        renderFields([
          ['id', document.id],
          ...document.roots.map(
            (root) => [root.name ?? root.class, root.path] as readonly [string, string],
          ),
          ['exclude', document.exclude.length === 0 ? null : document.exclude.join(', ')],
        ]),
        renderTable(sourceColumns(nowMs), [document], color),
        renderTable(DATABASE_COLUMNS, document.databases, color),
        renderTable(scheduleColumns(nowMs), document.schedules, color),
      ].join('\n\n'),
    );
    return EXIT.ok;
  });

interface ScheduleOptions extends ListOptions {
  readonly source?: string;
}

/** `holdfast schedule` */
export const schedules: CommandRun<ScheduleOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('schedule.list', {
      ...pageOf(options),
      ...(options.source === undefined ? {} : { sourceId: options.source }),
    });
    printList(context, options, page, scheduleColumns(context.clock.nowMs()), 'No schedules.');
    return EXIT.ok;
  });

/** `holdfast settings`: the configuration in effect, always as JSON. */
export const settings: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const document = await daemon.call('settings.get', {});
    if (options.json === true) printJson(context, document);
    else context.terminal.out(JSON.stringify(document, null, 2));
    return EXIT.ok;
  });
