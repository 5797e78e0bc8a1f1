import { isoTime } from '../../kernel/clock.ts';
import type { EventNotification } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatTime } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { renderProgress } from '../output/progress-meter.ts';
import { printJson } from '../report.ts';

/** `holdfast watch`: everything that happens, until Ctrl-C; under --json one document per line. */
export const run: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const subscription = await daemon.subscribe();
    const leave = (): void => subscription.close();
    context.signal.addEventListener('abort', leave, { once: true });
    try {
      for await (const event of subscription) {
        if (options.json === true) printJson(context, event);
        else if (event.type === 'daemon.heartbeat') continue;
        else {
          const time = formatTime(isoTime(context.clock.nowMs()));
          context.terminal.out(`${time} ${printable(describeEvent(event))}`);
        }
      }
    } finally {
      context.signal.removeEventListener('abort', leave);
    }
    return context.signal.aborted ? EXIT.cancelled : EXIT.ok;
  });

export function describeEvent(event: EventNotification): string {
  switch (event.type) {
    case 'job.changed':
      return `job ${event.job.id} ${event.job.kind} ${event.job.status}`;
    case 'job.progress':
      return `job ${event.jobId} ${renderProgress(event.progress, false)}`;
    case 'job.log':
      return `job ${event.jobId} ${event.line.stream}: ${event.line.message}`;
    case 'source.changed':
      return `source ${event.source.name}${event.source.needsOperator ? ' needs operator' : ' changed'}`;
    case 'snapshot.changed':
      return `snapshots${event.sourceId === null ? '' : ` of ${event.sourceId}`} changed by job ${event.jobId}`;
    case 'daemon.changed':
      return `daemon ${event.ready ? 'ready' : event.bootPhase}`;
    case 'settings.changed':
      return `settings: version ${event.version} in force`;
    case 'schedule.applied':
      return `schedules: version ${event.set.version} in force`;
    case 'pending.abandoned': {
      const { kind, sourceId, scheduleId, reason } = event.pending;
      return `${kind} of ${sourceId} (schedule ${scheduleId}) is not tried again: ${reason}`;
    }
    case 'alert.changed':
      return `alert ${event.alert.kind} ${event.alert.state}: ${event.alert.message}`;
    case 'daemon.heartbeat':
      return 'daemon alive';
    case 'gap':
      return `${event.missed} events were missed: this terminal reads too slowly`;
  }
}
