import type { MethodResult } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { offlineSettings } from '../offline.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
import { connectUnlessDown, runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

interface PendingOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly source?: string;
}

type Pending = MethodResult<'restore.pending'>['items'][number];

const COLUMNS: readonly Column<Pending>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'STAGED', cell: ({ stagedAt }) => formatTime(stagedAt) },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
  { title: 'SNAPSHOT', cell: ({ snapshotId }) => snapshotId.slice(0, 8) },
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'WHEN', cell: ({ applyWhen }) => applyWhen },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'ATTEMPTS', align: 'right', cell: ({ attempts }) => String(attempts) },
  { title: 'LAST ERROR', cell: ({ lastError }) => lastError?.message ?? '' },
];

/** `holdfast restore pending` */
export const pending: CommandRun<PendingOptions> = async (context, _args, options) => {
  const page = await askOrRead(context, options, 'restore.pending', {
    limit: options.limit,
    ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    ...(options.source === undefined ? {} : { sourceId: options.source }),
  });
  printList(context, options, page, COLUMNS, 'No restore is staged.');
  return EXIT.ok;
};

/** `holdfast restore cancel ID` */
export const cancel: CommandRun<GlobalOptions> = async (context, [id], options) => {
  const daemon = await connectUnlessDown(context, options);
  if (daemon === null) {
    const { removePending } = await import('../../restore/pending-restore.ts');
    const { stateDirectory } = await offlineSettings(context, options);
    await removePending(stateDirectory, id!);
  } else {
    try {
      await daemon.call('restore.cancel', { id: id! });
    } finally {
      daemon.close();
    }
  }
  printDocument(context, options, { id: id! }, () => `Cancelled ${id}`);
  return EXIT.ok;
};

interface ApplyOptions extends GlobalOptions {
  readonly yes?: boolean;
  readonly wait: boolean;
}

/** `holdfast restore apply [ID]` */
export const apply: CommandRun<ApplyOptions> = async (context, [id], options) => {
  await requireConfirmation(context, options, {
    verb: 'apply staged restore',
    thing: id ?? 'all',
    question: `Put ${id === undefined ? 'every staged restore' : `staged restore ${id}`} in place now?`,
  });
  const params = id === undefined ? {} : { id };
  return runJob(context, options, {
    method: 'restore.apply',
    params,
    offline: { kind: 'apply', params },
  });
};
