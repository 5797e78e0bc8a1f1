import { resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { MethodParams, QuarantineItem } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatDuration, formatTime } from '../output/format-time.ts';
import { type Column, renderFields, renderTable } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly source?: string;
}

const COLUMNS: readonly Column<QuarantineItem>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'SINCE', cell: ({ at }) => formatTime(at) },
  { title: 'REASON', cell: ({ reason }) => reason },
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'FROM', cell: ({ items }) => items.map(({ target }) => target).join(', ') },
  { title: 'NOTE', cell: ({ note }) => note },
];

/** `holdfast quarantine` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('recovery.quarantineList', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      ...(options.source === undefined ? {} : { sourceId: options.source }),
    });
    printList(context, options, page, COLUMNS, 'Nothing is in quarantine.');
    return EXIT.ok;
  });

const MEMBER_COLUMNS: readonly Column<{ target: string; name: string; bytes: number }>[] = [
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'FILE', cell: ({ name }) => name },
  { title: 'STOOD AT', cell: ({ target }) => target },
];

/** `holdfast quarantine show ID` */
export const show: CommandRun<GlobalOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const record = await daemon.call('recovery.quarantineGet', { id: id! });
    printDocument(context, options, record, ({ items, itemCount, ...about }) => {
      const members = items.flatMap(({ target, members: each }) =>
        each.map(({ name, bytes }) => ({ target, name, bytes })),
      );
      const fields = renderFields([
        ['id', about.id],
        ['since', formatTime(about.at)],
        ['source', about.sourceId],
        ['job', about.jobId],
        ['reason', about.reason],
        ['note', about.note],
        ['targets', String(itemCount)],
      ]);
      return [fields, renderTable(MEMBER_COLUMNS, members, context.terminal.color)].join('\n\n');
    });
    return EXIT.ok;
  });

interface RestoreOptions extends GlobalOptions {
  readonly to: string;
}

/** `holdfast quarantine restore ID --to DIR`: a copy, beside which the quarantined one stays. */
export const restore: CommandRun<RestoreOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const restored = await daemon.call('recovery.quarantineRestore', {
      id: id!,
      directory: resolve(options.to),
    });
    printDocument(context, options, restored, ({ directory }) => `Copied to ${directory}`);
    return EXIT.ok;
  });

interface PurgeOptions extends GlobalOptions {
  readonly olderThan?: number;
  readonly policy?: boolean;
  readonly yes?: boolean;
}

/** What is to be deleted, and in words. */
function chosenToPurge(
  id: string | undefined,
  { olderThan, policy }: PurgeOptions,
): { params: MethodParams<'recovery.quarantinePurge'>; thing: string } {
  if ([id, olderThan, policy].filter((given) => given !== undefined).length !== 1) {
    throw cannot('INVALID_PARAMS', 'purge', 'quarantine', 'it is not clear what to delete', {
      hint: 'Give an id, or --older-than with a duration such as 30d, or --policy.',
    });
  }
  if (id !== undefined) return { params: { id }, thing: id };
  if (olderThan === undefined) {
    return { params: { policy: true }, thing: 'what the configured bounds do not let stay' };
  }
  const thing = `everything older than ${formatDuration(olderThan)}`;
  return { params: { olderThanMs: olderThan }, thing };
}

/** `holdfast quarantine purge (ID | --older-than 30d | --policy)` */
export const purge: CommandRun<PurgeOptions> = async (context, [id], options) => {
  const { params, thing } = chosenToPurge(id, options);
  await requireConfirmation(context, options, {
    verb: 'purge from quarantine',
    thing,
    question: `Delete ${thing} from quarantine for ever?`,
  });
  return withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('recovery.quarantinePurge', params);
    printDocument(context, options, answer, ({ purged }) =>
      purged.length === 0 ? 'Nothing to delete.' : `Deleted ${purged.join(', ')}`,
    );
    return EXIT.ok;
  });
};
