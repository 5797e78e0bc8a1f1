import { randomInt } from 'node:crypto';
import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import type { ReadDataSubset } from '../option-parsers.ts';
import { runJob } from '../run-job.ts';

interface CheckOptions extends GlobalOptions {
  readonly readDataSubset?: ReadDataSubset;
  readonly repair?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Another sample every time, so that repeated checks come to read everything. */
const SEED_MAX = 2 ** 31;

/** `holdfast check [--read-data-subset 5%] [--repair [--dry-run] [--yes]]` */
export const run: CommandRun<CheckOptions> = async (context, _args, options) => {
  const subset = options.readDataSubset ?? 'none';
  const readData = typeof subset === 'string' ? subset : { ...subset, seed: randomInt(SEED_MAX) };
  const { repair = false, dryRun = false } = options;
  if (dryRun && !repair) {
    throw cannot(
      'INVALID_PARAMS',
      'check',
      'repository',
      '--dry-run means nothing without --repair',
    );
  }
  if (repair && !dryRun) {
    await requireConfirmation(context, options, {
      verb: 'repair',
      thing: 'repository',
      question:
        'Save what can be saved and set damaged files aside? (--dry-run shows what would be)',
    });
  }
  const repairing = repair ? { repair, dryRun } : {};
  return runJob(context, options, {
    method: 'repository.check',
    params: { readData, ...repairing },
    offline: { kind: 'check', params: { readData, ...repairing } },
  });
};
