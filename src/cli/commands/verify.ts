import { cannot } from '../../kernel/errors.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface VerifyOptions extends GlobalOptions {
  readonly latest?: boolean;
  readonly all?: boolean;
  readonly deep?: boolean;
  readonly source?: string;
}

function chosenSnapshots(
  ids: readonly string[],
  { latest, all }: VerifyOptions,
): 'latest' | 'all' | readonly string[] {
  const ways = [ids.length > 0, latest === true, all === true].filter(Boolean).length;
  if (ways > 1) {
    throw cannot(
      'INVALID_PARAMS',
      'verify',
      ids[0] ?? '--latest --all',
      'the choices exclude each other',
      {
        hint: 'Give ids, or --latest, or --all.',
      },
    );
  }
  if (all === true) return 'all';
  return ids.length > 0 ? ids : 'latest';
}

/** `holdfast verify [ID…|--latest|--all] [--deep]` */
export const run: CommandRun<VerifyOptions> = async (context, args, options) => {
  const ids = args.filter((id) => id !== undefined);
  const params = {
    snapshots: chosenSnapshots(ids, options),
    deep: options.deep === true,
    ...(options.source === undefined ? {} : { sourceId: options.source }),
  };
  return runJob(context, options, {
    method: 'snapshot.verify',
    params,
    offline: { kind: 'verify', params },
  });
};
