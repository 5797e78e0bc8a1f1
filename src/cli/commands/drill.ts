import type { DrillItem } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatDuration, formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printList } from '../report.ts';
import { runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

interface DrillOptions extends GlobalOptions {
  readonly list?: boolean;
  readonly limit: number;
  readonly cursor?: string;
  readonly wait?: boolean;
}

const COLUMNS: readonly Column<DrillItem>[] = [
  { title: 'HELD', cell: ({ at }) => formatTime(at) },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
  { title: 'SNAPSHOT', cell: ({ snapshotId }) => snapshotId.slice(0, 8) },
  {
    title: 'RESULT',
    cell: ({ ok, findings }) =>
      ok ? { text: 'ok', tone: 'good' } : { text: findings[0] ?? 'failed', tone: 'bad' },
  },
  {
    title: 'TOOK',
    align: 'right',
    cell: ({ durationMs }) => (durationMs === null ? '' : formatDuration(durationMs)),
  },
];

/** `holdfast drill [SOURCE]`; with --list the drills that were held. */
export const run: CommandRun<DrillOptions> = async (context, [sourceId], options) => {
  const params = sourceId === undefined ? {} : { sourceId };
  if (options.list !== true) {
    const offline = { kind: 'drill', params } as const;
    return runJob(context, options, { method: 'drill.run', params, offline });
  }
  const page = await askOrRead(context, options, 'drill.list', {
    ...params,
    limit: options.limit,
    ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
  });
  printList(context, options, page, COLUMNS, 'No drill was held yet.');
  return EXIT.ok;
};
