import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { DATABASE_COLUMNS } from '../output/recovery-summary.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
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

const listed = (items: readonly string[]): string | null =>
  items.length === 0 ? null : items.join(', ');

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
          ['enabled', document.enabled ? null : 'no: snapshots by hand only'],
          ['include', listed(document.include)],
          ['exclude', listed([...document.defaultExcludes, ...document.exclude])],
          [
            'maxFileBytes',
            document.maxFileBytes === null ? null : formatBytes(document.maxFileBytes),
          ],
          ['tags', listed(document.tags)],
          ['keys', listed(document.keys.map(({ name }) => name))],
        ]),
        renderTable(sourceColumns(nowMs), [document], color),
        renderTable(DATABASE_COLUMNS, document.databases, color),
        renderTable(scheduleColumns(nowMs), document.schedules, color),
      ].join('\n\n'),
    );
    return EXIT.ok;
  });
