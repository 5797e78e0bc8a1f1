import type { ApiContext } from '../api/context.ts';
import { cannot } from '../kernel/errors.ts';
import type { MethodParams, MethodResult } from '../protocol/method-map.ts';
import type { CommandContext } from './context.ts';
import type { GlobalOptions } from './global-options.ts';
import { offlineSettings } from './offline.ts';

/** Methods that need nothing but the settings and a reader of the repository. */
export type ReadMethod =
  | 'snapshot.list'
  | 'snapshot.get'
  | 'snapshot.files'
  | 'snapshot.manifest'
  | 'snapshot.find'
  | 'drill.list'
  | 'artifact.list'
  | 'migration.history'
  | 'restore.pending'
  | 'retention.get'
  | 'retention.preview'
  | 'tree.list'
  | 'repository.locks'
  | 'repository.unlock'
  | 'repository.keys'
  | 'repository.statistics';

/**
 * Answers a reading call without a daemon, through the daemon's own handlers, so that both answer alike. A
 * repository may be read while somebody else writes it: no lock is taken.
 * @throws what the daemon would answer with
 */
export async function readOffline<M extends ReadMethod>(
  context: CommandContext,
  options: GlobalOptions,
  method: M,
  params: MethodParams<M>,
): Promise<MethodResult<M>> {
  const settings = await offlineSettings(context, options);
  const [{ openReader }, { methods }, handlers] = await Promise.all([
    import('../store/repository.ts'),
    import('../protocol/methods.ts'),
    loadHandlers(),
  ]);
  const parsed = methods[method].params.safeParse(params);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw cannot('INVALID_PARAMS', 'call', method, issue?.message ?? 'invalid', {
      hint: `Look at ${issue?.path.join('.') || 'the arguments'}.`,
    });
  }
  const opened: { close(): void }[] = [];
  const world: Pick<ApiContext, 'settings' | 'clock' | 'openReader'> = {
    settings,
    clock: context.clock,
    async openReader() {
      const { repositoryKey } = await import('../operations/repository-key.ts');
      const reader = await openReader(settings.repositoryDirectory, await repositoryKey(settings));
      opened.push(reader);
      return reader;
    },
  };
  try {
    const handle = handlers[method] as unknown as (
      params: unknown,
      context: Pick<ApiContext, 'settings' | 'clock' | 'openReader'>,
    ) => Promise<MethodResult<M>>;
    return await handle(parsed.data, world);
  } finally {
    for (const reader of opened) reader.close();
  }
}

async function loadHandlers() {
  const [{ snapshotHandlers }, { drillHandlers }, { treeHandlers }, { repositoryHandlers }] =
    await Promise.all([
      import('../api/snapshot.ts'),
      import('../api/drill.ts'),
      import('../api/tree.ts'),
      import('../api/repository.ts'),
    ]);
  const { retentionHandlers } = await import('../api/retention.ts');
  const { restoreHandlers } = await import('../api/restore.ts');
  const { migrationHandlers } = await import('../api/migration.ts');
  const { artifactHandlers } = await import('../api/artifact.ts');
  return {
    ...retentionHandlers,
    ...restoreHandlers,
    ...migrationHandlers,
    ...snapshotHandlers,
    ...drillHandlers,
    ...artifactHandlers,
    ...treeHandlers,
    ...repositoryHandlers,
  };
}
