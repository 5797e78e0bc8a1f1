import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { SourceSettings } from '../config/settings.ts';
import { isInside } from '../files/safe-path.ts';
import { cannot } from '../kernel/errors.ts';
import { type RecoverSourceResult, recoverSource } from '../recovery/recover-source.ts';
import { openReader } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { type Operation, type OperationContext, requireSource } from './operation.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  /** One database alone: an absolute path inside a root of a source. */
  database: z.string().optional(),
  mode: z.enum(['if-needed', 'force', 'check-only']).default('if-needed'),
  dryRun: z.boolean().default(false),
});

type RecoverParameters = z.infer<typeof parameters>;

function sourcesToRecover(
  { settings }: OperationContext,
  { sourceId, database }: RecoverParameters,
): readonly SourceSettings[] {
  if (sourceId !== undefined) return [requireSource(settings, sourceId)];
  if (database === undefined) return settings.sources;
  const path = resolve(database);
  const owner = settings.sources.find(({ roots }) =>
    roots.some((root) => isInside(path, root.path)),
  );
  if (owner !== undefined) return [owner];
  throw cannot('NOT_FOUND', 'recover database', path, 'it lies in no root of any source', {
    hint: 'Name the source that protects it, or add its directory to one.',
  });
}

/** The repository for reading, or null where none was made yet: recovery then does without roll back. */
async function openIfPresent(directory: string): Promise<StoreReader | null> {
  return existsSync(join(directory, 'holdfast.json')) ? openReader(directory) : null;
}

function total(results: readonly RecoverSourceResult[]): Record<string, unknown> {
  const sum = (count: (result: RecoverSourceResult) => number): number =>
    results.reduce((all, result) => all + count(result), 0);
  return {
    ok: results.every(({ ok }) => ok),
    checked: sum(({ checked }) => checked),
    skipped: sum(({ skipped }) => skipped),
    recovered: sum(({ recovered }) => recovered),
    busy: sum(({ busy }) => busy),
    needsOperator: sum(({ needsOperator }) => needsOperator),
  };
}

/** Checks databases and repairs what is corrupt, one database at a time, the others left alone. */
export const recover: Operation<RecoverParameters> = {
  kind: 'recover',
  params: parameters,
  async run(context, params) {
    const { activity, settings, clock, jobId, scratchDirectory } = context;
    const sources: Record<string, RecoverSourceResult> = {};
    for (const source of sourcesToRecover(context, params)) {
      sources[source.id] = await recoverSource(
        {
          source,
          stateDirectory: settings.stateDirectory,
          scratchDirectory,
          jobId,
          ...(params.database === undefined ? {} : { databases: [resolve(params.database)] }),
          mode: params.mode,
          dryRun: params.dryRun,
        },
        { openRepository: () => openIfPresent(settings.repositoryDirectory) },
        activity,
        clock,
      );
    }
    return { ...total(Object.values(sources)), sources };
  },
};
