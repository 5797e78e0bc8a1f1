import type { MethodResult } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { printable } from '../output/printable.ts';
import { renderFields } from '../output/table.ts';
import { printDocument } from '../report.ts';
import { runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

/** `holdfast repository stats` */
export const statistics: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const document = await askOrRead(context, options, 'repository.statistics', {});
  printDocument(context, options, document, renderStatistics);
  return EXIT.ok;
};

export function renderStatistics(repository: MethodResult<'repository.statistics'>): string {
  const { rawBytes, uniqueBytes, packBytes } = repository;
  const factor = packBytes > 0 ? `, a factor of ${(rawBytes / packBytes).toFixed(1)}` : '';
  return renderFields([
    ['repository', repository.path],
    ['id', repository.repositoryId],
    ['encrypted', repository.encrypted ? 'yes' : 'no'],
    ['snapshots', String(repository.snapshots)],
    ['packs', `${repository.packs}, ${formatBytes(packBytes)}`],
    ['chunks', `${repository.chunks}, ${repository.deltaChunks} of them deltas`],
    ['unique data', formatBytes(uniqueBytes)],
    ['as plain copies', `${formatBytes(rawBytes)}${factor}`],
    ...repository.perSource.map(({ sourceName, snapshots, addedBytes }): [string, string] => [
      `of ${printable(sourceName)}`,
      `${snapshots} snapshots, which added ${formatBytes(addedBytes)}`,
    ]),
    ['last check', describeRun(repository.lastCheck)],
    ['last prune', describeRun(repository.lastPrune)],
  ]);
}

const describeRun = (run: MethodResult<'repository.statistics'>['lastCheck']): string =>
  run === null ? 'not known' : `${run.at}, ${run.ok ? 'ok' : 'failed'}`;

/** `holdfast repository init [--encrypt]` */
export const init: CommandRun<GlobalOptions & { readonly encrypt?: boolean }> = (
  context,
  _args,
  options,
) => {
  const encrypt = options.encrypt === true;
  return runJob(context, options, {
    method: 'repository.init',
    params: { encrypt },
    offline: { kind: 'init', params: { encrypt } },
  });
};

/** `holdfast repository rebuild` */
export const rebuild: CommandRun<GlobalOptions> = (context, _args, options) =>
  runJob(context, options, {
    method: 'repository.rebuild',
    params: {},
    offline: { kind: 'rebuild', params: {} },
  });
