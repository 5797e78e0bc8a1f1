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
    case 'daemon.changed':
      return `daemon ${event.ready ? 'ready' : event.bootPhase}`;
    case 'gap':
      return `${event.missed} events were missed: this terminal reads too slowly`;
  }
}
