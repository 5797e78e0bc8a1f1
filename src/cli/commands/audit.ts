import type { AuditRow } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printList } from '../report.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly action?: string;
}

const columns: Column<AuditRow>[] = [
  { title: 'AT', cell: ({ at }) => formatTime(at) },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'BY', cell: (row) => (row.actor === 'daemon' ? 'the daemon' : (row.client ?? '-')) },
  { title: 'USER', align: 'right', cell: ({ uid }) => (uid === null ? '-' : String(uid)) },
  { title: 'PROCESS', align: 'right', cell: ({ pid }) => (pid === null ? '-' : String(pid)) },
  {
    title: 'OUTCOME',
    cell: ({ outcome }) => ({
      text: outcome ?? 'unknown',
      tone: outcome === 'ok' ? 'good' : 'bad',
    }),
  },
  { title: 'JOB', cell: ({ jobId }) => jobId ?? '-' },
  { title: 'PARAMS', cell: ({ params }) => JSON.stringify(params) },
];

/** `holdfast audit` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('audit.list', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      ...(options.action === undefined ? {} : { action: options.action }),
    });
    printList(context, options, page, columns, 'Nothing was changed yet.');
    return EXIT.ok;
  });
