import type { MethodResult } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printList } from '../report.ts';
import { askOrRead } from './snapshots.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly porcelain?: boolean;
}

type Item = MethodResult<'artifact.list'>['items'][number];

const COLUMNS: readonly Column<Item>[] = [
  { title: 'REFERENCE', cell: ({ ref }) => ref },
  { title: 'ALIAS', cell: ({ aliases }) => aliases.join(' ') },
  {
    title: 'MADE',
    cell: ({ createdAt }) =>
      createdAt === null ? { text: 'damaged', tone: 'bad' } : formatTime(createdAt),
  },
  { title: 'DATABASE', cell: ({ database }) => database ?? '' },
  { title: 'MODEL', cell: ({ modelVersion }) => String(modelVersion ?? '') },
  { title: 'SCHEMA', cell: ({ schemaVersion }) => String(schemaVersion ?? '') },
  {
    title: 'SIZE',
    align: 'right',
    cell: ({ bytes }) => (bytes === null ? '' : formatBytes(bytes)),
  },
  { title: 'SIGNED WITH', cell: ({ signedWith }) => signedWith ?? '' },
];

/** `holdfast artifact list` */
export const list: CommandRun<ListOptions> = async (context, _args, options) => {
  const { limit, cursor } = options;
  const page = await askOrRead(context, options, 'artifact.list', {
    limit,
    ...(cursor === undefined ? {} : { cursor }),
  });
  if (options.porcelain === true) for (const { ref } of page.items) context.terminal.out(ref);
  else printList(context, options, page, COLUMNS, 'The store is empty.');
  return EXIT.ok;
};
