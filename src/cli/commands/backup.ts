import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface BackupOptions extends GlobalOptions {
  readonly type: 'full' | 'config' | 'data';
  readonly tag?: readonly string[];
  readonly reason?: string;
  readonly ifChanged?: boolean;
  readonly readLimit?: number;
  readonly writeLimit?: number;
  readonly wait: boolean;
}

/** `holdfast backup [SOURCE]` */
export const run: CommandRun<BackupOptions> = (context, [sourceId], options) => {
  const { readLimit, writeLimit } = options;
  const bandwidth = {
    ...(readLimit === undefined ? {} : { readBytesPerSecond: readLimit }),
    ...(writeLimit === undefined ? {} : { writeBytesPerSecond: writeLimit }),
  };
  const params = {
    ...(Object.keys(bandwidth).length === 0 ? {} : { bandwidth }),
    ...(sourceId === undefined ? {} : { sourceId }),
    type: options.type,
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.tag === undefined ? {} : { tags: options.tag }),
    ...(options.ifChanged === true ? { ifChanged: true } : {}),
  };
  return runJob(context, options, {
    method: 'snapshot.create',
    params,
    offline: { kind: 'backup', params: { ...params, origin: 'manual' } },
  });
};
