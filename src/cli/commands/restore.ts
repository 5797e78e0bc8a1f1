import { resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface RestoreOptions extends GlobalOptions {
  readonly source?: string;
  readonly to?: string;
  readonly inPlace?: boolean;
  readonly path?: readonly string[];
  readonly class?: readonly ('data' | 'config' | 'extra')[];
  readonly overwrite?: 'always' | 'if-changed' | 'if-newer' | 'never';
  readonly check?: 'none' | 'quick' | 'full';
  readonly checkpoint: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait: boolean;
}

type Target = { readonly type: 'directory'; readonly path: string } | { readonly type: 'in-place' };

/** A restore never guesses where it goes. */
function chosenTarget(snapshotId: string, { to, inPlace }: RestoreOptions): Target {
  if ((to === undefined) === (inPlace !== true)) {
    const state = to === undefined ? 'no target is named' : 'two targets are named';
    throw cannot('INVALID_PARAMS', 'restore snapshot', snapshotId, state, {
      hint: 'Give either --to DIR, or --in-place to replace the files where they came from.',
    });
  }
  return to === undefined ? { type: 'in-place' } : { type: 'directory', path: resolve(to) };
}

/** `holdfast restore ID|latest (--to DIR | --in-place)` */
export const run: CommandRun<RestoreOptions> = async (context, [id], options) => {
  const snapshotId = id!;
  const target = chosenTarget(snapshotId, options);
  if (target.type === 'in-place' && options.dryRun !== true) {
    const what = options.path?.join(', ') ?? 'every file of the snapshot';
    await requireConfirmation(context, options, {
      verb: 'restore in place snapshot',
      thing: snapshotId,
      question: `Replace ${what} where it came from with snapshot ${snapshotId}? (--dry-run shows the plan)`,
    });
  }
  const params = {
    snapshotId,
    target,
    checkpoint: options.checkpoint,
    ...(options.source === undefined ? {} : { sourceId: options.source }),
    ...(options.path === undefined ? {} : { paths: options.path }),
    ...(options.class === undefined ? {} : { classes: options.class }),
    ...(options.overwrite === undefined ? {} : { overwrite: options.overwrite }),
    ...(options.check === undefined ? {} : { check: options.check }),
    ...(options.dryRun === true ? { dryRun: true } : {}),
  };
  return runJob(context, options, {
    method: 'restore.run',
    params,
    offline: { kind: 'restore', params },
  });
};
