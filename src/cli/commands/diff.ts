import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface DiffOptions extends GlobalOptions {
  readonly databases: boolean;
}

/** `holdfast diff A B` */
export const run: CommandRun<DiffOptions> = async (context, [a, b], options) => {
  const { databases } = options;
  return runJob(context, options, {
    method: 'snapshot.diff',
    params: { a: a!, b: b!, databases },
    offline: { kind: 'diff', params: { before: a!, after: b!, databases } },
  });
};
