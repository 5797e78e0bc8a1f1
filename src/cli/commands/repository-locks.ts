import type { MethodResult } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printable } from '../output/printable.ts';
import { printDocument } from '../report.ts';
import { runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

/** `holdfast repository locks` */
export const locks: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const document = await askOrRead(context, options, 'repository.locks', {});
  printDocument(context, options, document, renderLocks);
  return EXIT.ok;
};

function renderLocks({
  locked,
  holder,
  leases,
  unreadable,
}: MethodResult<'repository.locks'>): string {
  const writer = !locked
    ? 'Nobody writes.'
    : holder === null
      ? 'A process writes.'
      : `Process ${holder.pid} (${holder.purpose}) writes since ${holder.since}.`;
  const readers = leases.map(
    ({ snapshot, purpose, pid, host, since, stale }) =>
      `${snapshot.slice(0, 8)}  ${purpose}, process ${pid} on ${host} since ${since}${stale ? ', gone' : ''}`,
  );
  const damaged = unreadable.map((file) => `${file}  cannot be read: nothing is removed meanwhile`);
  return [writer, ...readers, ...damaged].map(printable).join('\n');
}

/** `holdfast repository unlock` */
export const unlock: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const document = await askOrRead(context, options, 'repository.unlock', {});
  printDocument(context, options, document, ({ removedLeases, lockPresent }) =>
    [
      `Removed ${removedLeases.length} leases whose process is gone.`,
      lockPresent
        ? 'A living process writes to the repository; its lock ends with it and is never removed.'
        : 'No lock is held; locks end with their process, so that none is ever left behind.',
    ].join('\n'),
  );
  return EXIT.ok;
};

interface ReconcileOptions extends GlobalOptions {
  readonly dryRun?: boolean;
}

/** `holdfast repository reconcile [--dry-run]` */
export const reconcile: CommandRun<ReconcileOptions> = (context, _args, options) => {
  const dryRun = options.dryRun === true;
  return runJob(context, options, {
    method: 'repository.reconcile',
    params: { dryRun },
    offline: { kind: 'reconcile', params: { repositoryOnly: true, dryRun } },
  });
};
