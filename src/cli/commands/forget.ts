import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface ForgetOptions extends GlobalOptions {
  readonly orphaned?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** `holdfast forget [SOURCE] [--dry-run]` */
export const run: CommandRun<ForgetOptions> = async (context, [source], options) => {
  const { orphaned, dryRun } = options;
  if (source !== undefined && orphaned !== undefined) {
    throw cannot('INVALID_PARAMS', 'forget', source, 'a source and orphaned ones are named', {
      hint: 'Remove orphaned snapshots by a command of their own.',
    });
  }
  if (dryRun !== true) {
    const what =
      orphaned === undefined
        ? `the snapshots of ${source ?? 'all sources'} that their policies do not keep`
        : `all snapshots of ${orphaned.join(', ')}`;
    await requireConfirmation(context, options, {
      verb: 'forget',
      thing: what,
      question: `Remove ${what}? (--dry-run shows them)`,
    });
  }
  const params = {
    ...(source === undefined ? {} : { sources: [source] }),
    ...(orphaned === undefined ? {} : { orphans: [...orphaned] }),
    ...(dryRun === true ? { dryRun } : {}),
  };
  return runJob(context, options, {
    method: 'retention.apply',
    params,
    offline: { kind: 'forget', params },
  });
};
