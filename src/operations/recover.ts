import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { realPathOf } from '../config/own-places.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { isInside } from '../files/safe-path.ts';
import { hasBegunSwaps } from '../files/swap/swap.ts';
import { cannot, HoldfastError } from '../kernel/errors.ts';
import { recoverCopy } from '../recovery/recover-copy.ts';
import {
  type RecoverSourceResult,
  recoverSource,
  resolveFrom,
} from '../recovery/recover-source.ts';
import { SnapshotDatabases } from '../recovery/snapshot-databases.ts';
import { openReader, unlockRepository } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { tellOfOlderVersions } from './migrate/recovered-versions.ts';
import { type Operation, type OperationContext, requireSource } from './operation.ts';
import { repositoryKey } from './repository-key.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  /** One database alone: an absolute path inside a root of a source. */
  database: z.string().optional(),
  mode: z.enum(['if-needed', 'force', 'check-only']).default('if-needed'),
  dryRun: z.boolean().default(false),
  /** The best repair is installed whatever the source's policy says of its loss. */
  acceptLoss: z.boolean().default(false),
  /** The one snapshot that a repair may use. */
  from: z.string().min(1).optional(),
  /** The best that can be had of `database`, which may lie anywhere, goes to this file; nothing is installed. */
  to: z.string().min(1).optional(),
});

type RecoverParameters = z.infer<typeof parameters>;

function sourcesToRecover(
  { settings }: OperationContext,
  { sourceId, database }: RecoverParameters,
): readonly SourceSettings[] {
  if (sourceId !== undefined) return [requireSource(settings, sourceId)];
  if (database === undefined) return settings.sources;
  const owner = ownerOf(settings, resolve(database));
  if (owner !== undefined) return [owner];
  throw cannot('NOT_FOUND', 'recover database', database, 'it lies in no root of any source', {
    hint: 'Add its directory to a source, or have what can be saved of it written elsewhere: --to FILE.',
  });
}

function ownerOf({ sources }: Settings, path: string): SourceSettings | undefined {
  return sources.find(({ roots }) => roots.some((root) => isInside(path, root.path)));
}

/** The repository for reading, or null where none was made yet: recovery then does without roll back. */
async function openIfPresent(settings: Settings): Promise<StoreReader | null> {
  const { repositoryDirectory } = settings;
  if (!existsSync(join(repositoryDirectory, 'holdfast.json'))) return null;
  return openReader(repositoryDirectory, await repositoryKey(settings));
}

/** Whether snapshots are there that only lack their key. */
async function lacksKey(settings: Settings): Promise<boolean> {
  const { repositoryDirectory } = settings;
  if (!existsSync(join(repositoryDirectory, 'holdfast.json'))) return false;
  try {
    await unlockRepository(repositoryDirectory, await repositoryKey(settings));
    return false;
  } catch (error) {
    // Whatever else is wrong with it, recovery goes on without, and says so.
    return error instanceof HoldfastError && /^KEY_/.test(error.code);
  }
}

/** A repair without snapshots may lose rows that a key put back would have saved. */
function cautious(source: SourceSettings): SourceSettings {
  return { ...source, recovery: { ...source.recovery, allowPartial: false } };
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

/** @throws PATH_UNSAFE: beside live databases it would be taken for one of them */
async function requireFreePlace(settings: Settings, target: string): Promise<void> {
  const roots = settings.sources.flatMap(({ roots: each }) => each.map(({ path }) => path));
  const place = await realPathOf(target);
  const holder = [...roots, settings.repositoryDirectory].find((each) => isInside(place, each));
  if (holder === undefined) return;
  throw cannot('PATH_UNSAFE', 'recover to', target, `it lies in ${holder}`, {
    hint: 'Choose a place outside every source and outside the repository.',
  });
}

/** The snapshots of a file that lies in a source; null for any other, and where there is no repository. */
async function snapshotsOf(
  path: string,
  { settings, activity }: OperationContext,
  { sourceId, from }: RecoverParameters,
  reader: StoreReader | null,
): Promise<SnapshotDatabases | null> {
  const source =
    sourceId === undefined ? ownerOf(settings, path) : requireSource(settings, sourceId);
  if (source === undefined) {
    if (from === undefined) return null;
    throw cannot('NOT_FOUND', 'recover from', from, `"${path}" lies in no root of any source`, {
      hint: 'Leave the snapshot out, or name the configuration that protects it.',
    });
  }
  const only = from === undefined ? null : await resolveFrom(from, source, reader);
  if (reader === null) return null;
  return new SnapshotDatabases(reader, source, (message) => activity.warn(message), only);
}

async function recoverToFile(
  context: OperationContext,
  params: RecoverParameters & { readonly to: string },
): Promise<Record<string, unknown>> {
  const { activity, settings, clock, scratchDirectory } = context;
  if (params.database === undefined) {
    throw cannot('INVALID_PARAMS', 'recover to', params.to, 'it is not said which database', {
      hint: 'Give --database PATH as well.',
    });
  }
  const target = resolve(params.to);
  await requireFreePlace(settings, target);
  const database = await realPathOf(params.database);
  const reader = await openIfPresent(settings);
  try {
    const snapshots = await snapshotsOf(database, context, params, reader);
    const result = await recoverCopy(
      { database, target, scratchDirectory, snapshots, dryRun: params.dryRun },
      activity,
      clock,
    );
    if (result.lostRows > 0 || !result.lossExact) activity.warn(result.reason);
    return { ok: true, ...result };
  } finally {
    reader?.close();
  }
}

/** A repair that the disk let neither be finished nor be undone is no outcome: it is finished as soon as that can be. */
function halfDone(results: readonly RecoverSourceResult[]): HoldfastError {
  const waiting = results.flatMap(({ databases }) =>
    databases.filter(({ state }) => state === 'needs-operator'),
  );
  const [first] = waiting;
  const {
    path = 'a database',
    reason = 'a swap is not finished',
    failure = 'IO_ERROR',
  } = first ?? {};
  return cannot(failure, 'finish the repair of', path, reason, {
    hint: 'The originals are safe in quarantine. It is finished by itself once the disk lets it be.',
    retryable: true,
  });
}

/** Checks databases and repairs what is corrupt, one database at a time, the others left alone. */
export const recover: Operation<RecoverParameters> = {
  kind: 'recover',
  params: parameters,
  async run(context, params) {
    const { to } = params;
    if (to !== undefined) return recoverToFile(context, { ...params, to });
    const { activity, settings, clock, jobId, scratchDirectory } = context;
    const sources: Record<string, RecoverSourceResult> = {};
    const isLocked = await lacksKey(settings);
    if (isLocked) {
      activity.warn(
        'The key of the repository is missing or wrong: no repair that loses rows is installed',
      );
    }
    for (const source of sourcesToRecover(context, params)) {
      const result = await recoverSource(
        {
          source: isLocked ? cautious(source) : source,
          stateDirectory: settings.stateDirectory,
          scratchDirectory,
          jobId,
          ...(params.database === undefined ? {} : { databases: [resolve(params.database)] }),
          mode: params.mode,
          dryRun: params.dryRun,
          acceptLoss: params.acceptLoss,
          ...(params.from === undefined ? {} : { from: params.from }),
        },
        { openRepository: () => openIfPresent(settings) },
        activity,
        clock,
      );
      if (!params.dryRun) await tellOfOlderVersions(context, source, result.databases);
      sources[source.id] = result;
    }
    const result = total(Object.values(sources));
    if (result['ok'] !== true && (await hasBegunSwaps(settings.stateDirectory))) {
      throw halfDone(Object.values(sources));
    }
    return { ...result, sources };
  },
};
