import { readFile } from 'node:fs/promises';
import { cannot, messageOf } from '../../kernel/errors.ts';
import type { MethodParams, ScheduleSetState } from '../../protocol/method-map.ts';
import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import type { DaemonConnection } from '../daemon-connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { versionOf } from '../expected-version.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printDocument } from '../report.ts';
import { renderScheduleSet } from './schedules.ts';

interface VersionOptions extends GlobalOptions {
  readonly expectVersion?: number;
}

interface ReferenceOptions extends VersionOptions {
  readonly source?: string;
}

interface FieldOptions extends ReferenceOptions {
  readonly every?: number;
  readonly cron?: string;
  readonly timeZone?: string;
  readonly catchUp?: 'one' | 'none';
  readonly jitter?: number;
  readonly overlap?: 'skip' | 'queue';
}

type Changes = MethodParams<'schedule.update'>['changes'];
type Schedule = MethodParams<'schedule.add'>['schedule'];

const sourceOf = ({ source }: ReferenceOptions) =>
  source === undefined ? {} : { sourceId: source };

function perform(
  context: CommandContext,
  options: GlobalOptions,
  change: (daemon: DaemonConnection) => Promise<ScheduleSetState>,
): Promise<ExitCode> {
  return withDaemon(context, options, async (daemon) => {
    printDocument(context, options, await change(daemon), renderScheduleSet);
    return EXIT.ok;
  });
}

/** `holdfast schedule set FILE` */
export const set: CommandRun<VersionOptions> = async (context, [file], options) => {
  const schedules = await readScheduleFile(file!);
  return perform(context, options, (daemon) =>
    daemon.call('schedule.set', { schedules, ...versionOf(options) }),
  );
};

/** `holdfast schedule add [ID]` */
export const add: CommandRun<
  FieldOptions & { readonly kind: NonNullable<Schedule['kind']>; readonly disabled?: true }
> = (context, [id], options) => {
  const { trigger, ...fields } = fieldsOf(options);
  if (trigger === undefined) throw unclearTrigger(id ?? options.kind, 'it is not said when');
  const schedule: Schedule = {
    ...(id === undefined ? {} : { id }),
    ...sourceOf(options),
    kind: options.kind,
    trigger,
    ...fields,
    ...(options.disabled === true ? { enabled: false } : {}),
  };
  return perform(context, options, (daemon) =>
    daemon.call('schedule.add', { schedule, ...versionOf(options) }),
  );
};

/** `holdfast schedule update ID` */
export const update: CommandRun<
  FieldOptions & { readonly enable?: true; readonly disable?: true }
> = (context, [id], options) => {
  const changes: Changes = {
    ...fieldsOf(options),
    ...(options.enable === true ? { enabled: true } : {}),
    ...(options.disable === true ? { enabled: false } : {}),
  };
  return perform(context, options, (daemon) =>
    daemon.call('schedule.update', {
      scheduleId: id!,
      ...sourceOf(options),
      changes,
      ...versionOf(options),
    }),
  );
};

/** `holdfast schedule remove ID` */
export const remove: CommandRun<ReferenceOptions> = (context, [id], options) =>
  perform(context, options, (daemon) =>
    daemon.call('schedule.remove', {
      scheduleId: id!,
      ...sourceOf(options),
      ...versionOf(options),
    }),
  );

/** `holdfast schedule reset` */
export const reset: CommandRun<VersionOptions> = (context, _args, options) =>
  perform(context, options, (daemon) => daemon.call('schedule.reset', versionOf(options)));

const oneOrAll = (id: string | undefined, options: ReferenceOptions) =>
  id === undefined ? {} : { scheduleId: id, ...sourceOf(options) };

/** `holdfast schedule pause [ID]` */
export const pause: CommandRun<ReferenceOptions> = (context, [id], options) =>
  perform(context, options, (daemon) => daemon.call('schedule.pause', oneOrAll(id, options)));

/** `holdfast schedule resume [ID]` */
export const resume: CommandRun<ReferenceOptions> = (context, [id], options) =>
  perform(context, options, (daemon) => daemon.call('schedule.resume', oneOrAll(id, options)));

function fieldsOf({ every, cron, timeZone, catchUp, jitter, overlap }: FieldOptions): Changes {
  if (every !== undefined && cron !== undefined) {
    throw unclearTrigger('schedule', 'both --every and --cron are given');
  }
  if (timeZone !== undefined && cron === undefined) {
    throw unclearTrigger('schedule', '--time-zone goes with --cron');
  }
  return {
    ...(every === undefined ? {} : { trigger: { type: 'interval', intervalMs: every } }),
    ...(cron === undefined
      ? {}
      : {
          trigger: {
            type: 'cron',
            expression: cron,
            ...(timeZone === undefined ? {} : { timeZone }),
          },
        }),
    ...(catchUp === undefined ? {} : { catchUp }),
    ...(jitter === undefined ? {} : { jitterMs: jitter }),
    ...(overlap === undefined ? {} : { overlap }),
  };
}

function unclearTrigger(thing: string, state: string) {
  return cannot('INVALID_PARAMS', 'schedule', thing, state, {
    hint: 'Give --every with a duration such as 6h, or --cron with an expression such as "0 3 * * *".',
  });
}

const DEFINITION_KEYS: readonly string[] = [
  'id',
  'sourceId',
  'kind',
  'trigger',
  'enabled',
  'catchUp',
  'jitterMs',
  'overlap',
];

/** A list, or the page that `schedule list --json` prints, whose items say more than a definition does. */
async function readScheduleFile(file: string): Promise<Schedule[]> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file === '-' ? '/dev/stdin' : file, 'utf8'));
  } catch (error) {
    throw cannot('INVALID_PARAMS', 'read', file, messageOf(error), { cause: error });
  }
  if (Array.isArray(content)) return content as Schedule[];
  const { items, nextCursor } = (content ?? {}) as { items?: unknown; nextCursor?: unknown };
  if (!Array.isArray(items)) {
    throw cannot('INVALID_PARAMS', 'read', file, 'it holds no list of schedules', {
      hint: 'Write a list such as [{"sourceId": "app", "trigger": "6h"}].',
    });
  }
  if (nextCursor != null) {
    throw cannot('INVALID_PARAMS', 'read', file, 'it is only the first page of the schedules', {
      hint: 'Print all of them: holdfast schedule list --limit 1000 --json.',
    });
  }
  return items.map(
    (item: object) =>
      Object.fromEntries(
        Object.entries(item).filter(([key]) => DEFINITION_KEYS.includes(key)),
      ) as Schedule,
  );
}
