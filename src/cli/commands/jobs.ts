import type { JobDocument, MethodResult } from '../../protocol/method-map.ts';
import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import type { DaemonConnection } from '../daemon-connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asFinished, followJob } from '../follow-job.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatAge, formatDuration, formatTime } from '../output/format-time.ts';
import { renderJobSummary } from '../output/job-summary.ts';
import { openProgressMeter } from '../output/progress-meter.ts';
import { type Column, renderFields } from '../output/table.ts';
import { noteError, printDocument, printJobEnd, printList } from '../report.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly status?: readonly JobDocument['status'][];
  readonly kind?: JobDocument['kind'];
  readonly source?: string;
  readonly statistics?: boolean;
}

const STATUS_TONES = {
  queued: 'faint',
  running: 'strong',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warning',
} as const;

const jobColumns = (nowMs: number): Column<JobDocument>[] => [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'STATUS', cell: ({ status }) => ({ text: status, tone: STATUS_TONES[status] }) },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId ?? '-' },
  { title: 'ACTOR', cell: ({ actor }) => actor },
  { title: 'CREATED', cell: ({ createdAt }) => formatAge(createdAt, nowMs) },
  {
    title: 'TOOK',
    align: 'right',
    cell: ({ startedAt, finishedAt }) => took(startedAt, finishedAt),
  },
  { title: 'WARNINGS', align: 'right', cell: ({ warnings }) => String(warnings) },
];

function took(startedAt: string | null, finishedAt: string | null): string {
  if (startedAt === null || finishedAt === null) return '-';
  return formatDuration(Date.parse(finishedAt) - Date.parse(startedAt));
}

type Statistics = MethodResult<'job.statistics'>['items'][number];

const duration = (durationMs: number | null): string =>
  durationMs === null ? '-' : formatDuration(durationMs);

const statisticsColumns = (nowMs: number): Column<Statistics>[] => [
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'JOBS', align: 'right', cell: ({ count }) => String(count) },
  { title: 'FAILED', align: 'right', cell: ({ failed }) => String(failed) },
  { title: 'CANCELLED', align: 'right', cell: ({ cancelled }) => String(cancelled) },
  { title: 'WARNED', align: 'right', cell: ({ warned }) => String(warned) },
  {
    title: 'LAST',
    cell: ({ lastStatus, lastFinishedAt }) => ({
      text: `${lastStatus} ${formatAge(lastFinishedAt, nowMs)}`,
      tone: STATUS_TONES[lastStatus],
    }),
  },
  { title: 'TOOK', align: 'right', cell: ({ lastDurationMs }) => duration(lastDurationMs) },
  { title: 'MEDIAN', align: 'right', cell: ({ medianDurationMs }) => duration(medianDurationMs) },
  {
    title: 'LONGEST',
    align: 'right',
    cell: ({ longestDurationMs }) => duration(longestDurationMs),
  },
  { title: 'BYTES', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
];

/** `holdfast jobs --statistics` */
async function listStatistics(
  context: CommandContext,
  daemon: DaemonConnection,
  options: ListOptions,
): Promise<ExitCode> {
  const { source } = options;
  const { items } = await daemon.call(
    'job.statistics',
    source === undefined ? {} : { sourceId: source },
  );
  const columns = statisticsColumns(context.clock.nowMs());
  printList(context, options, { items, nextCursor: null }, columns, 'No job has finished yet.');
  return EXIT.ok;
}

/** `holdfast jobs` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    if (options.statistics === true) return listStatistics(context, daemon, options);
    const page = await daemon.call('job.list', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      ...(options.status === undefined ? {} : { status: options.status }),
      ...(options.kind === undefined ? {} : { kind: options.kind }),
      ...(options.source === undefined ? {} : { sourceId: options.source }),
    });
    printList(context, options, page, jobColumns(context.clock.nowMs()), 'No jobs.');
    return EXIT.ok;
  });

interface ShowOptions extends GlobalOptions {
  readonly wait?: boolean;
}

/** `holdfast job ID`; with --wait it is followed and its end is this command's end. */
export const show: CommandRun<ShowOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const job = await daemon.call('job.get', { id: id! });
    if (options.wait === true) {
      const meter = openProgressMeter(context.terminal, context.clock);
      const finished = asFinished(job) ?? (await followJob(context, daemon, job, 'foreign', meter));
      return printJobEnd(context, options, finished);
    }
    printDocument(context, options, job, (document) => renderJob(document, context.terminal.color));
    if (options.json !== true && job.error !== null) noteError(context, job.error);
    return EXIT.ok;
  });

export function renderJob(job: JobDocument, color: boolean): string {
  const { progress } = job;
  const finished = asFinished(job);
  const fields = renderFields([
    ['id', job.id],
    ['kind', job.kind],
    ['status', job.status],
    ['source', job.sourceId],
    ['actor', job.actor],
    ['created', formatTime(job.createdAt)],
    ['started', job.startedAt === null ? null : formatTime(job.startedAt)],
    ['finished', job.finishedAt === null ? null : formatTime(job.finishedAt)],
    ['took', job.finishedAt === null ? null : took(job.startedAt, job.finishedAt)],
    [
      'progress',
      progress === null || finished !== null
        ? null
        : `${progress.phase}${progress.percentDone === null ? '' : ` ${Math.floor(progress.percentDone * 100)}%`}`,
    ],
    ['warnings', String(job.warnings)],
    ['exit code', job.exitCode === null ? null : String(job.exitCode)],
  ]);
  const summary = finished === null ? '' : renderJobSummary(finished, color);
  return [fields, summary].filter((part) => part !== '').join('\n\n');
}

/** `holdfast job cancel ID` */
export const cancel: CommandRun<GlobalOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    const job = await daemon.call('job.cancel', { id: id! });
    printDocument(context, options, job, ({ status }) =>
      status === 'running' ? 'Cancelling.' : `The job is ${status}.`,
    );
    return EXIT.ok;
  });
