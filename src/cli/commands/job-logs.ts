import { sleep } from '../../kernel/clock.ts';
import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import type { DaemonConnection } from '../daemon-connection.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatTime } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { printJson } from '../report.ts';

interface LogOptions extends GlobalOptions {
  readonly follow?: boolean;
  readonly from: number;
  readonly format?: 'txt' | 'ndjson';
}

const LINES_PER_CALL = 1000;
const FOLLOW_POLL_MS = 500;

/** `holdfast job logs ID [--follow] [--format txt|ndjson]`: one line each, or with ndjson, as under --json, one document. */
export const run: CommandRun<LogOptions> = (context, [id], options) =>
  withDaemon(context, options, async (daemon) => {
    let fromSeq = options.from;
    for (;;) {
      const page = await printPage(context, daemon, options, id!, fromSeq);
      fromSeq = page.nextSeq;
      if (page.nextCursor !== null) continue;
      if (page.finished || options.follow !== true) return EXIT.ok;
      await sleep(context.clock, FOLLOW_POLL_MS, context.signal);
    }
  });

/** `holdfast logs [ID] [--follow]` */
export const ofNewest: CommandRun<LogOptions> = async (context, [id], options) => {
  if (id !== undefined) return run(context, [id], options);
  const newest = await withDaemon(context, options, (daemon) =>
    daemon.call('job.list', { limit: 1 }),
  );
  const [job] = newest.items;
  if (job !== undefined) return run(context, [job.id], options);
  context.terminal.note('There is no job yet.');
  return EXIT.ok;
};

async function printPage(
  context: CommandContext,
  daemon: DaemonConnection,
  options: LogOptions,
  id: string,
  fromSeq: number,
) {
  const page = await daemon.call('job.logs', { id, fromSeq, limit: LINES_PER_CALL });
  for (const line of page.items) {
    const asDocument = options.format === undefined ? options.json : options.format === 'ndjson';
    if (asDocument === true) printJson(context, line);
    else context.terminal.out(`${formatTime(line.at)} ${line.stream} ${printable(line.message)}`);
  }
  return page;
}
