import { randomInt } from 'node:crypto';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import type { ReadDataSubset } from '../option-parsers.ts';
import { runJob } from '../run-job.ts';

interface CheckOptions extends GlobalOptions {
  readonly readDataSubset?: ReadDataSubset;
}

/** Another sample every time, so that repeated checks come to read everything. */
const SEED_MAX = 2 ** 31;

/** `holdfast check [--read-data-subset 5%]` */
export const run: CommandRun<CheckOptions> = (context, _args, options) => {
  const subset = options.readDataSubset ?? 'none';
  const readData = typeof subset === 'string' ? subset : { ...subset, seed: randomInt(SEED_MAX) };
  return runJob(context, options, {
    method: 'repository.check',
    params: { readData },
    offline: { kind: 'check', params: { readData } },
  });
};
