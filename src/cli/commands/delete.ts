import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface DeleteOptions extends GlobalOptions {
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** `holdfast delete ID…` */
export const run: CommandRun<DeleteOptions> = async (context, ids, options) => {
  const named = ids.flat().filter((id) => id !== undefined);
  const force = options.force === true;
  await requireConfirmation(context, options, {
    verb: 'delete',
    thing: named.join(', '),
    question: `Delete ${named.length === 1 ? `snapshot ${named[0]}` : `${named.length} snapshots`}?`,
  });
  return runJob(context, options, {
    method: 'snapshot.delete',
    params: { ids: named, force },
    offline: { kind: 'delete', params: { snapshotIds: named, force } },
  });
};
