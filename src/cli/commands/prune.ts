import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface PruneOptions extends GlobalOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** `holdfast prune [--dry-run]` */
export const run: CommandRun<PruneOptions> = async (context, _args, options) => {
  const dryRun = options.dryRun === true;
  if (!dryRun) {
    await requireConfirmation(context, options, {
      verb: 'prune',
      thing: 'repository',
      question: 'Give back the space of what no snapshot needs? (--dry-run shows how much)',
    });
  }
  return runJob(context, options, {
    method: 'repository.prune',
    params: { dryRun },
    offline: { kind: 'prune', params: { dryRun } },
  });
};
