import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { renderProgress } from '../output/progress-meter.ts';
import { printDocument } from '../report.ts';

/** `holdfast progress` */
export const run: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const current = await daemon.call('progress.get', {});
    printDocument(context, options, current, ({ inProgress, kind, jobId, progress }) => {
      if (!inProgress) return 'Nothing runs.';
      return `${kind} ${jobId}${progress === null ? '' : ` ${renderProgress(progress, false)}`}`;
    });
    return EXIT.ok;
  });
