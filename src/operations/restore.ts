import { resolve } from 'node:path';
import { z } from 'zod';
import { captureSource } from '../capture/capture-source.ts';
import { cannot } from '../kernel/errors.ts';
import type { RestorePlan } from '../restore/plan-restore.ts';
import { restoreSnapshot } from '../restore/restore-snapshot.ts';
import { openReader } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { newestSnapshot } from './backup.ts';
import {
  type Operation,
  type OperationContext,
  ownPaths,
  requireSource,
  sourceOrOnly,
} from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';
import { TOOL_VERSION } from './version.ts';

const parameters = z.strictObject({
  snapshotId: z.string().min(1),
  sourceId: z.string().optional(),
  target: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('directory'), path: z.string().min(1) }),
    z.strictObject({ type: z.literal('in-place') }),
  ]),
  paths: z.array(z.string().min(1)).max(10_000).default([]),
  classes: z.array(z.enum(['data', 'config', 'extra'])).default([]),
  overwrite: z.enum(['always', 'if-changed', 'if-newer', 'never']).optional(),
  dryRun: z.boolean().default(false),
  /** A snapshot of what the plan touches is taken first; in place only. */
  checkpoint: z.boolean().default(true),
  check: z.enum(['none', 'quick', 'full']).default('quick'),
});

type RestoreParameters = z.infer<typeof parameters>;

/** The logical paths whose present state the plan would replace. */
function touchedPaths(plan: RestorePlan): string[] {
  return plan.entries
    .filter(({ action, type }) => action === 'overwrite' && type !== 'directory')
    .map(({ logicalPath }) => logicalPath);
}

/** Snapshots what the plan is about to replace, and nothing else. Returns its id, or null when nothing is replaced. */
async function takeCheckpoint(
  context: OperationContext,
  sourceId: string,
  plan: RestorePlan,
): Promise<string | null> {
  const onlyPaths = touchedPaths(plan);
  if (onlyPaths.length === 0) return null;
  const { settings, clock, activity, jobId, scratchDirectory } = context;
  const source = requireSource(settings, sourceId);
  const writer = await openRepositoryWriter(settings, clock, activity, 'pre-restore snapshot');
  try {
    const { id } = await captureSource(
      {
        source,
        type: 'full',
        origin: 'pre-restore',
        reason: `before the restore of ${plan.snapshotId.slice(0, 8)}`,
        jobId,
        parent: await newestSnapshot(writer.reader, source),
        forbiddenPaths: ownPaths(settings),
        scratchDirectory,
        toolVersion: TOOL_VERSION,
        onlyPaths,
      },
      writer,
      activity,
      clock,
    );
    return id;
  } finally {
    await writer.close();
  }
}

async function restoreFrom(
  reader: StoreReader,
  context: OperationContext,
  params: RestoreParameters,
): Promise<Record<string, unknown>> {
  const { settings, activity, clock, jobId } = context;
  const named =
    params.sourceId === undefined ? undefined : requireSource(settings, params.sourceId);
  const snapshotId = reader.resolveSnapshot(params.snapshotId, named?.id);
  const manifest = await reader.readManifest(snapshotId);
  if (named !== undefined && manifest.source.id !== named.id) {
    throw cannot(
      'NOT_FOUND',
      'restore snapshot',
      params.snapshotId,
      `it is not of source ${named.name}`,
    );
  }
  let preRestoreSnapshotId: string | null = null;
  const inPlace = params.target.type === 'in-place';
  const result = await restoreSnapshot(
    {
      snapshotId,
      target:
        params.target.type === 'directory'
          ? { type: 'directory', path: resolve(params.target.path) }
          : { type: 'in-place', roots: sourceOrOnly(settings, manifest.source.id).roots },
      paths: params.paths,
      classes: params.classes,
      overwrite: params.overwrite ?? (inPlace ? 'always' : 'never'),
      dryRun: params.dryRun,
      check: params.check,
      forbiddenPaths: ownPaths(settings),
      stateDirectory: settings.stateDirectory,
      jobId,
      sourceId: manifest.source.id,
      ...(inPlace && params.checkpoint
        ? {
            beforeSwap: async (plan: RestorePlan) => {
              preRestoreSnapshotId = await takeCheckpoint(context, manifest.source.id, plan);
            },
          }
        : {}),
    },
    reader,
    activity,
    clock,
  );
  return { ...result, preRestoreSnapshotId };
}

/** Brings a snapshot, or part of it, back to disk. */
export const restore: Operation<RestoreParameters> = {
  kind: 'restore',
  params: parameters,
  async run(context, params) {
    const reader = await openReader(context.settings.repositoryDirectory);
    try {
      return await restoreFrom(reader, context, params);
    } finally {
      reader.close();
    }
  },
};
