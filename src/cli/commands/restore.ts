import { resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { MethodParams } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { given } from '../given.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

interface RestoreOptions extends GlobalOptions {
  readonly source?: string;
  readonly to?: string;
  readonly allowNonEmpty?: boolean;
  readonly inPlace?: boolean;
  readonly stage?: boolean;
  readonly applyWhen?: 'boot' | 'free';
  readonly replacePending?: boolean;
  readonly plan?: string;
  readonly file?: string;
  readonly path?: readonly string[];
  readonly part?: readonly ('data' | 'config' | 'extra')[];
  readonly mode?: 'merge' | 'mirror';
  readonly overwrite?: 'always' | 'if-changed' | 'if-newer' | 'never';
  readonly check?: 'none' | 'quick' | 'full';
  readonly migrate: boolean;
  readonly allowNewer?: boolean;
  readonly checkpoint: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait: boolean;
}

type Target = NonNullable<MethodParams<'restore.run'>['target']>;

const WAYS = ['to', 'inPlace', 'stage', 'plan', 'file'] as const;

/** A restore never guesses where it goes. */
function requireOneWay(thing: string, options: RestoreOptions): void {
  const chosen = WAYS.filter((way) => options[way] !== undefined && options[way] !== false);
  const fileTo = chosen.length === 2 && chosen.includes('to') && chosen.includes('file');
  if (chosen.length === 1 || fileTo) return;
  const state = chosen.length === 0 ? 'no target is named' : 'two targets are named';
  throw cannot('INVALID_PARAMS', 'restore snapshot', thing, state, {
    hint: 'Give either --to DIR, or --in-place to replace the files where they came from; --stage, --plan and --file are the other ways.',
  });
}

const selectionOf = (options: RestoreOptions) =>
  given({
    sourceId: options.source,
    paths: options.path,
    classes: options.part,
    overwrite: options.overwrite,
    mode: options.mode,
    check: options.check,
    migrate: options.migrate ? undefined : false,
    allowNewer: options.allowNewer,
  });

/** Asks, and returns the name of the source that is meant. */
async function confirmed(
  context: CommandContext,
  options: RestoreOptions,
  snapshotId: string,
  verb: string,
): Promise<string> {
  const what = options.path?.join(', ') ?? 'every file of the snapshot';
  await requireConfirmation(context, options, {
    verb,
    thing: snapshotId,
    question: `Replace ${what} where it came from with snapshot ${snapshotId}? (--dry-run shows the plan)`,
  });
  const { sourceName } = await askOrRead(context, options, 'snapshot.get', {
    id: snapshotId,
    ...given({ sourceId: options.source }),
  });
  return sourceName;
}

async function restoreSnapshot(
  context: CommandContext,
  snapshotId: string,
  options: RestoreOptions,
): Promise<ExitCode> {
  const { to, allowNonEmpty, dryRun, checkpoint } = options;
  const target: Target =
    to === undefined
      ? { type: 'in-place' }
      : { type: 'directory', path: resolve(to), ...given({ allowNonEmpty }) };
  const params = {
    snapshotId,
    target,
    checkpoint,
    ...selectionOf(options),
    ...(dryRun === true ? { dryRun } : {}),
  };
  const runs = target.type === 'in-place' && dryRun !== true;
  if (!runs) {
    return runJob(context, options, {
      method: 'restore.run',
      params,
      offline: { kind: 'restore', params },
    });
  }
  const confirm = await confirmed(context, options, snapshotId, 'restore in place snapshot');
  const replacing = { ...params, replaceDatabases: true };
  return runJob(context, options, {
    method: 'restore.run',
    params: { ...replacing, confirm },
    offline: { kind: 'restore', params: replacing },
  });
}

async function stageSnapshot(
  context: CommandContext,
  snapshotId: string,
  options: RestoreOptions,
): Promise<ExitCode> {
  const { applyWhen, replacePending, checkpoint } = options;
  const confirm = await confirmed(context, options, snapshotId, 'stage snapshot');
  const params = {
    snapshotId,
    checkpoint,
    replaceDatabases: true,
    ...selectionOf(options),
    ...given({ applyWhen, replacePending }),
  };
  return runJob(context, options, {
    method: 'restore.stage',
    params: { ...params, confirm },
    offline: { kind: 'stage', params },
  });
}

async function carryOut(
  context: CommandContext,
  planId: string,
  options: RestoreOptions,
): Promise<ExitCode> {
  await requireConfirmation(context, options, {
    verb: 'carry out plan',
    thing: planId,
    question: `Do what plan ${planId} says?`,
  });
  return runJob(context, options, {
    method: 'restore.run',
    params: { planId },
    offline: { kind: 'restore', params: { planId } },
  });
}

function restoreFile(
  context: CommandContext,
  snapshotId: string,
  path: string,
  options: RestoreOptions,
): Promise<ExitCode> {
  const { source: sourceId, to: place, check } = options;
  const to = place === undefined ? undefined : resolve(place);
  const overwrite = options.overwrite === 'always' ? true : undefined;
  return runJob(context, options, {
    method: 'restore.file',
    params: { snapshotId, path, ...given({ sourceId, to, overwrite, check }) },
    offline: {
      kind: 'restore',
      params: {
        snapshotId,
        file: { path, ...given({ to, overwrite }) },
        ...given({ sourceId, check }),
      },
    },
  });
}

/** `holdfast restore ID|latest (--to DIR | --in-place | --stage | --file PATH)`, or `restore --plan ID` */
export const run: CommandRun<RestoreOptions> = async (context, [id], options) => {
  requireOneWay(id ?? '', options);
  if (options.plan !== undefined) return carryOut(context, options.plan, options);
  if (id === undefined) {
    throw cannot('INVALID_PARAMS', 'restore snapshot', '', 'no snapshot is named', {
      hint: 'Give its id, or latest.',
    });
  }
  if (options.file !== undefined) return restoreFile(context, id, options.file, options);
  return options.stage === true
    ? stageSnapshot(context, id, options)
    : restoreSnapshot(context, id, options);
};
