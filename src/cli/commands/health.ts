import type { MethodResult } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatDuration } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { styled } from '../output/style.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { printDocument } from '../report.ts';

/** Probes: 0 healthy, 1 not, 3 for a report with warnings, 4 when no daemon answers. */

export const live: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const liveness = await daemon.call('health.live', {});
    printDocument(context, options, liveness, renderLiveness);
    return liveness.live ? EXIT.ok : EXIT.failed;
  });

export const ready: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const readiness = await daemon.call('health.ready', {});
    const { color } = context.terminal;
    printDocument(context, options, readiness, (document) => renderReadiness(document, color));
    return readiness.ready ? EXIT.ok : EXIT.failed;
  });

const EXIT_OF_STATUS: Readonly<Record<HealthReport['status'], ExitCode>> = {
  ok: EXIT.ok,
  warning: EXIT.warnings,
  critical: EXIT.failed,
};

export const report: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const document = await daemon.call('health.report', {});
    printDocument(context, options, document, (health) =>
      renderReport(health, context.terminal.color),
    );
    return EXIT_OF_STATUS[document.status];
  });

type Liveness = MethodResult<'health.live'>;
type Readiness = MethodResult<'health.ready'>;
type HealthReport = MethodResult<'health.report'>;

export function renderLiveness({ live, eventLoopLagMs, eventLoopLagMsMax }: Liveness): string {
  const lag = `event loop ${eventLoopLagMs.toFixed(0)} ms late, ${eventLoopLagMsMax.toFixed(0)} ms at worst`;
  return `${live ? 'live' : 'not live'}: ${lag}`;
}

export function renderReadiness({ ready, bootPhase, checks }: Readiness, color: boolean): string {
  const lines = checks.map(({ ok, name, message }) => {
    const mark = ok ? styled('ok', 'good', color) : styled('failed', 'bad', color);
    return `${mark} ${printable(message === null ? name : `${name}: ${message}`)}`;
  });
  return [`${ready ? 'ready' : 'not ready'} (${bootPhase})`, ...lines].join('\n');
}

export function renderReport(health: HealthReport, color: boolean): string {
  const tone = { ok: 'good', warning: 'warning', critical: 'bad' } as const;
  const age = (ageMs: number | null): string =>
    ageMs === null ? 'never' : `${formatDuration(ageMs)} ago`;
  const parts = [
    styled(health.status, tone[health.status], color),
    renderLiveness(health.live),
    renderReadiness(health.ready, color),
  ];
  if (health.sources.length > 0) {
    parts.push(
      renderTable(
        [
          { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
          { title: 'STATUS', cell: ({ status }) => ({ text: status, tone: tone[status] }) },
          { title: 'SNAPSHOT', cell: ({ lastSnapshotAgeMs }) => age(lastSnapshotAgeMs) },
          { title: 'GOOD', cell: ({ lastGoodSnapshotAgeMs }) => age(lastGoodSnapshotAgeMs) },
          { title: 'VERIFIED', cell: ({ lastVerifiedAgeMs }) => age(lastVerifiedAgeMs) },
          { title: 'DRILL', cell: ({ lastDrillAgeMs }) => age(lastDrillAgeMs) },
        ],
        health.sources,
        color,
      ),
    );
  }
  const warnings = [...health.warnings, ...health.sources.flatMap((source) => source.warnings)];
  parts.push(...warnings.map(({ message }) => `warning: ${printable(message)}`));
  if (health.host !== null) parts.push(renderHost(health.host));
  return parts.join('\n');
}

function renderHost(host: NonNullable<HealthReport['host']>): string {
  return renderFields([
    [
      'memory',
      `${formatBytes(host.memoryBytesAvailable)} of ${formatBytes(host.memoryBytesTotal)} available`,
    ],
    ['load', `${host.loadPerCpu.toFixed(2)} per processor, ${host.cpus} processors`],
    ...host.fileSystems.map(
      ({ mount, uses, bytesAvailable, bytesTotal }) =>
        [
          mount,
          `${formatBytes(bytesAvailable)} of ${formatBytes(bytesTotal)} free (${uses.join(', ')})`,
        ] as const,
    ),
  ]);
}
