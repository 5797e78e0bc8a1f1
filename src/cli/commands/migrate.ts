import type { MethodResult } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatDuration, formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printList } from '../report.ts';
import { connectUnlessDown, runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

interface LookOptions extends GlobalOptions {
  readonly database?: string;
  readonly to?: string;
}

interface CheckOptions extends GlobalOptions {
  readonly source?: string;
  readonly force?: boolean;
}

interface ChangeOptions extends LookOptions {
  readonly dryRun?: boolean;
  readonly checkpoint: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly wait: boolean;
}

interface HistoryOptions extends GlobalOptions {
  readonly database?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** Fields that were given. */
function given<Fields extends Record<string, unknown>>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Fields]: Exclude<Fields[Key], undefined>;
  };
}

/** `holdfast migrate status [SOURCE]` */
export const status: CommandRun<LookOptions> = (context, [sourceId], options) => {
  const params = given({ sourceId, database: options.database });
  return runJob(context, options, {
    method: 'migration.status',
    params,
    offline: { kind: 'migrate', params: { action: 'status', ...params } },
  });
};

/** `holdfast migrate pending [SOURCE] [--to VERSION]` */
export const pending: CommandRun<LookOptions> = (context, [sourceId], options) => {
  const params = given({ sourceId, database: options.database, target: options.to });
  return runJob(context, options, {
    method: 'migration.pending',
    params,
    offline: { kind: 'migrate', params: { action: 'pending', ...params } },
  });
};

/** `holdfast migrate check ID|latest` */
export const check: CommandRun<CheckOptions> = (context, [snapshotId], options) => {
  const { source: sourceId, force } = options;
  const params = { snapshotId: snapshotId!, ...given({ sourceId, force }) };
  return runJob(context, options, {
    method: 'migration.check',
    params,
    offline: { kind: 'migrate', params: { action: 'check', ...params } },
  });
};

/** `holdfast migrate up [SOURCE] [--to VERSION]` */
export const up: CommandRun<ChangeOptions> = (context, [source], options) =>
  change(context, 'up', source, options);

/** `holdfast migrate down [SOURCE] --to VERSION` */
export const down: CommandRun<ChangeOptions> = (context, [source], options) =>
  change(context, 'down', source, options);

async function change(
  context: CommandContext,
  action: 'up' | 'down',
  source: string | undefined,
  options: ChangeOptions,
): Promise<ExitCode> {
  const { database, to: target, dryRun, checkpoint, force } = options;
  const sourceId = source ?? (await onlySource(context, options));
  if (dryRun !== true) {
    const what = `${database ?? 'the database'} of ${sourceId ?? 'the source'}`;
    await requireConfirmation(context, options, {
      verb: `migrate ${action}`,
      thing: sourceId ?? '',
      question: `Bring ${what} ${action} to ${target ?? 'the newest version'}? (--dry-run shows the steps)`,
    });
  }
  const params = { checkpoint, ...given({ sourceId, database, dryRun, force }) };
  const confirm = given({ confirm: dryRun === true ? undefined : sourceId });
  // Commander has seen to it that `down` has a target.
  return action === 'up'
    ? runJob(context, options, {
        method: 'migration.up',
        params: { ...params, ...confirm, ...given({ target }) },
        offline: { kind: 'migrate', params: { action, ...params, ...given({ target }) } },
      })
    : runJob(context, options, {
        method: 'migration.down',
        params: { ...params, ...confirm, target: target! },
        offline: { kind: 'migrate', params: { action, ...params, target: target! } },
      });
}

/** The daemon's only source, which it wants to be confirmed by name; undefined without a daemon, or with several. */
async function onlySource(
  context: CommandContext,
  options: GlobalOptions,
): Promise<string | undefined> {
  const daemon = await connectUnlessDown(context, options);
  if (daemon === null) return undefined;
  try {
    const { items } = await daemon.call('source.list', { limit: 2 });
    return items.length === 1 ? items[0]!.id : undefined;
  } finally {
    daemon.close();
  }
}

type Row = MethodResult<'migration.history'>['items'][number];

const COLUMNS: readonly Column<Row>[] = [
  { title: 'STARTED', cell: ({ startedAt }) => formatTime(startedAt) },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
  { title: 'DATABASE', cell: ({ database }) => database },
  { title: 'STEP', cell: ({ version, name }) => `${version}_${name}` },
  { title: 'WAY', cell: ({ direction, purpose }) => `${direction} (${purpose})` },
  {
    title: 'RESULT',
    cell: ({ success, error, installed }) => {
      if (success === null) return 'running';
      if (!success) return { text: error ?? 'failed', tone: 'bad' };
      return installed === true ? { text: 'in place', tone: 'good' } : 'ran on a copy';
    },
  },
  {
    title: 'TOOK',
    align: 'right',
    cell: ({ startedAt, finishedAt }) =>
      finishedAt === null ? '' : formatDuration(Date.parse(finishedAt) - Date.parse(startedAt)),
  },
];

/** `holdfast migrate history [SOURCE]` */
export const history: CommandRun<HistoryOptions> = async (context, [sourceId], options) => {
  const { database, limit, cursor } = options;
  const params = { limit, ...given({ sourceId, database, cursor }) };
  const page = await askOrRead(context, options, 'migration.history', params);
  printList(context, options, page, COLUMNS, 'No step was ever tried.');
  return EXIT.ok;
};
