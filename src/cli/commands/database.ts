import { resolve } from 'node:path';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

type Mode = 'passive' | 'full' | 'restart' | 'truncate';

interface CheckpointOptions extends GlobalOptions {
  readonly mode: Mode;
}

/** `holdfast database stats PATH` */
export const statistics: CommandRun<GlobalOptions> = (context, [path], options) => {
  const params = { database: resolve(path!) };
  return runJob(context, options, {
    method: 'database.statistics',
    params,
    offline: { kind: 'maintain', params: { action: 'statistics', ...params } },
  });
};

/** `holdfast database checkpoint PATH` */
export const checkpoint: CommandRun<CheckpointOptions> = (context, [path], options) => {
  const params = { database: resolve(path!), mode: options.mode };
  return runJob(context, options, {
    method: 'database.checkpoint',
    params,
    offline: { kind: 'maintain', params: { action: 'checkpoint', ...params } },
  });
};

/** `holdfast database optimize PATH` */
export const optimize: CommandRun<GlobalOptions> = (context, [path], options) => {
  const params = { database: resolve(path!) };
  return runJob(context, options, {
    method: 'database.optimize',
    params,
    offline: { kind: 'maintain', params: { action: 'optimize', ...params } },
  });
};
