import type { DaemonStatus, ScheduleState, SourceState } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { counted } from '../output/counted.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatAge, formatDuration } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { type Cell, type Column, renderFields, renderTable } from '../output/table.ts';
import { printDocument } from '../report.ts';

/** `holdfast status` */
export const run: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const status = await daemon.call('daemon.status', {});
    const nowMs = context.clock.nowMs();
    printDocument(context, options, status, (document) =>
      renderStatus(document, nowMs, context.terminal.color),
    );
    return EXIT.ok;
  });

export function renderStatus(status: DaemonStatus, nowMs: number, color: boolean): string {
  const { repository, queue } = status;
  const fields = renderFields([
    ['daemon', `${status.version}, process ${status.pid}, up ${formatDuration(status.uptimeMs)}`],
    ['state', status.ready ? 'ready' : bootLine(status)],
    [
      'repository',
      repository === null
        ? 'none yet'
        : `${repository.path}: ${counted(repository.snapshots, 'snapshot')}, ${formatBytes(repository.packBytes)} for ${formatBytes(repository.rawBytes)}`,
    ],
    ['jobs', `${queue.running.length} running, ${queue.queuedCount} queued`],
    [
      'last recovery',
      status.lastRecovery === null
        ? null
        : `${status.lastRecovery.outcome} ${status.lastRecovery.database}, ${formatAge(status.lastRecovery.at, nowMs)}`,
    ],
  ]);
  const parts = [fields];
  if (status.sources.length > 0) {
    parts.push(renderTable(sourceColumns(nowMs), status.sources, color));
  }
  const running = queue.running.map(
    (job) => `running: ${job.kind} ${job.id}${percent(job.progress?.percentDone ?? null)}`,
  );
  const warnings = status.warnings.map(({ message }) => `warning: ${message}`);
  const alerts = status.alerts.newest.map(
    ({ severity, message, count }) =>
      `alert: ${severity}: ${message}${count > 1 ? ` (${count} times)` : ''}`,
  );
  const lines = [...running, ...warnings, ...alerts].map(printable);
  if (lines.length > 0) parts.push(lines.join('\n'));
  return parts.join('\n\n');
}

const percent = (share: number | null): string =>
  share === null ? '' : ` ${Math.floor(share * 100)}%`;

function bootLine({ bootPhase, bootProgress }: DaemonStatus): string {
  const message = bootProgress?.message ?? null;
  return message === null ? bootPhase : `${bootPhase}: ${message}`;
}

/** The most telling state of a source, worst first. */
function sourceCondition(source: SourceState): { text: string; tone: 'good' | 'warning' | 'bad' } {
  if (source.needsOperator) return { text: 'needs operator', tone: 'bad' };
  if (source.lastSnapshot?.good === false) return { text: 'last snapshot bad', tone: 'bad' };
  if (source.lastSnapshot === null) return { text: 'no snapshot', tone: 'warning' };
  return source.pendingChangeSince === null
    ? { text: 'protected', tone: 'good' }
    : { text: 'changed', tone: 'warning' };
}

function drillCell({ lastDrillAt, lastDrillOk }: SourceState, nowMs: number): Cell {
  const text = formatAge(lastDrillAt, nowMs);
  return lastDrillOk === false ? { text: `failed ${text}`, tone: 'bad' } : { text };
}

export const sourceColumns = (nowMs: number): Column<SourceState>[] => [
  { title: 'SOURCE', cell: ({ name }) => name },
  { title: 'STATE', cell: sourceCondition },
  { title: 'DATABASES', align: 'right', cell: ({ databases }) => String(databases.length) },
  { title: 'LAST SNAPSHOT', cell: (source) => formatAge(source.lastSnapshot?.at ?? null, nowMs) },
  { title: 'LAST GOOD', cell: (source) => formatAge(source.lastGoodSnapshotAt, nowMs) },
  { title: 'VERIFIED', cell: (source) => formatAge(source.lastVerifiedAt, nowMs) },
  {
    title: 'KNOWN GOOD',
    cell: ({ lastKnownGood }) =>
      lastKnownGood === null
        ? 'never'
        : `${lastKnownGood.id.slice(0, 8)}, ${formatAge(lastKnownGood.at, nowMs)}`,
  },
  { title: 'DRILL', cell: (source) => drillCell(source, nowMs) },
  {
    title: 'WATCH',
    cell: ({ watch }) => (watch.reason === null ? watch.mode : `${watch.mode} (${watch.reason})`),
  },
];

export const scheduleColumns = (nowMs: number): Column<ScheduleState>[] => [
  { title: 'SCHEDULE', cell: ({ id }) => id },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId ?? 'repository' },
  { title: 'KIND', cell: ({ kind }) => kind },
  {
    title: 'TRIGGER',
    cell: ({ trigger }) =>
      trigger.type === 'cron'
        ? `${trigger.expression} (${trigger.timeZone})`
        : `every ${formatDuration(trigger.intervalMs)}`,
  },
  {
    title: 'NEXT',
    cell: ({ idleness, nextDueAt }) => idleness ?? formatAge(nextDueAt, nowMs),
  },
  { title: 'LAST', cell: ({ lastRunAt }) => formatAge(lastRunAt, nowMs) },
];
