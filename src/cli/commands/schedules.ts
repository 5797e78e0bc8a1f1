import type { ScheduleSetState } from '../../protocol/method-map.ts';
import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { counted } from '../output/counted.ts';
import { formatTime } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { renderFields } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
import { scheduleColumns } from './status.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly source?: string;
}

/** `holdfast schedule` */
export const list: CommandRun<ListOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const page = await daemon.call('schedule.list', {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
      ...(options.source === undefined ? {} : { sourceId: options.source }),
    });
    printList(context, options, page, scheduleColumns(context.clock.nowMs()), 'No schedules.');
    return EXIT.ok;
  });

/** `holdfast schedule status` */
export const status: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    printDocument(context, options, await daemon.call('schedule.status', {}), renderScheduleSet);
    return EXIT.ok;
  });

export function renderScheduleSet(set: ScheduleSetState): string {
  const fields = renderFields([
    ['version', String(set.version)],
    ['from', set.origin === 'rpc' ? 'holdfast schedule' : 'the configuration'],
    [
      'in force',
      set.appliedVersion === null
        ? 'nothing yet'
        : `version ${set.appliedVersion} since ${formatTime(set.appliedAt)}: ${counted(set.applied, 'schedule')}`,
    ],
    ['paused', set.paused ? 'all of them' : null],
  ]);
  const rejected = set.rejected.map(({ scheduleId, sourceId, reason }) =>
    printable(`not in force: ${scheduleId} of ${sourceId ?? 'the repository'}: ${reason}`),
  );
  return [fields, ...rejected].join('\n');
}
