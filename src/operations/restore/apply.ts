import { z } from 'zod';
import type { SourceSettings } from '../../config/settings.ts';
import { cannot, messageOf, toErrorDocument } from '../../kernel/errors.ts';
import { applyPending } from '../../restore/apply-pending.ts';
import {
  APPLY_ATTEMPTS_MAX,
  listPending,
  type PendingRestore,
  readPending,
  writePending,
} from '../../restore/pending-restore.ts';
import { type Operation, type OperationContext, ownPaths, requireSource } from '../operation.ts';
import { withHooks } from '../with-hooks.ts';
import { beforeRestoreOf, takeCheckpoint } from './checkpoint.ts';
import { liveListing } from './parameters.ts';
import { tellPlugins } from './plugins.ts';
import { proveRestored } from './proof.ts';
import { StoppedService } from './service.ts';

const parameters = z.strictObject({
  /** Absent: every one that waits. */
  id: z.string().optional(),
  /** By itself: one that failed too often is left to a person. */
  automatic: z.boolean().default(false),
});

async function applyOne(
  context: OperationContext,
  pending: PendingRestore,
): Promise<Record<string, unknown>> {
  const source = requireSource(context.settings, pending.sourceId);
  const { snapshotId } = pending;
  const work = { kind: 'restore', before: 'preRestore', after: 'postRestore', snapshotId } as const;
  return withHooks(context, source, work, () => install(context, source, pending));
}

async function install(
  context: OperationContext,
  source: SourceSettings,
  pending: PendingRestore,
): Promise<Record<string, unknown>> {
  const { settings, activity, clock, jobId } = context;
  let preRestoreSnapshotId: string | null = null;
  const stopped = await StoppedService.stop(context, source);
  try {
    const { swap, application } = await applyPending(
      pending,
      {
        stateDirectory: settings.stateDirectory,
        jobId,
        forbiddenPaths: ownPaths(settings),
        roots: source.roots.map(({ path }) => path),
        listing: await liveListing(source, settings),
        checkpoint: async (paths) => {
          if (!pending.checkpoint) return;
          const { sourceId, snapshotId } = pending;
          preRestoreSnapshotId = await takeCheckpoint(
            context,
            sourceId,
            paths,
            beforeRestoreOf(snapshotId),
          );
        },
        prove: async (databases) => {
          const touched = pending.items.map(({ target }) => target);
          await tellPlugins(context, source, pending.snapshotId, touched);
          await proveRestored(context, source, stopped, databases);
        },
      },
      clock,
      activity,
    );
    return {
      pendingId: pending.id,
      snapshotId: pending.snapshotId,
      sourceId: pending.sourceId,
      installed: application.items.length,
      deleted: application.deletions.length,
      quarantineId: swap?.quarantineId ?? null,
      swapId: swap?.id ?? null,
      preRestoreSnapshotId,
      checked: pending.checked.map((path) => ({ path, ok: true })),
    };
  } finally {
    await stopped.startAgain();
  }
}

/** A process that ended in the middle could not say so itself. */
async function giveUp({ settings }: OperationContext, pending: PendingRestore): Promise<void> {
  if (pending.state === 'failed') return;
  const error = cannot(
    'INTERRUPTED',
    'apply staged restore',
    pending.id,
    'it was cut short each time',
  );
  const lastError = pending.lastError ?? toErrorDocument(error);
  await writePending(settings.stateDirectory, { ...pending, state: 'failed', lastError });
}

async function chosen(
  context: OperationContext,
  { id, automatic }: z.infer<typeof parameters>,
): Promise<PendingRestore[]> {
  const { stateDirectory } = context.settings;
  if (id !== undefined && !automatic) return [await readPending(stateDirectory, id)];
  const all = await listPending(stateDirectory);
  const waiting = all.filter((pending) => id === undefined || pending.id === id);
  if (!automatic) return waiting;
  const able: PendingRestore[] = [];
  for (const pending of waiting) {
    if (pending.state !== 'failed' && pending.attempts < APPLY_ATTEMPTS_MAX) able.push(pending);
    else await giveUp(context, pending);
  }
  return able;
}

/**
 * Puts staged restores in place. One that fails does not keep the others; the job fails with the first failure. By
 * itself, one whose target is in use simply waits on.
 */
export const applyStaged: Operation<z.infer<typeof parameters>> = {
  kind: 'apply',
  params: parameters,
  async run(context, params) {
    const { activity } = context;
    const restores: Record<string, unknown>[] = [];
    let failure: unknown = null;
    for (const pending of await chosen(context, params)) {
      activity.signal.throwIfAborted();
      try {
        restores.push(await applyOne(context, pending));
      } catch (error) {
        activity.signal.throwIfAborted();
        const busy = toErrorDocument(error).code === 'TARGET_BUSY';
        activity.warn(messageOf(error));
        if (!(busy && params.automatic)) failure ??= error;
      }
    }
    if (failure !== null) throw failure;
    return { restores };
  },
};

/**
 * Where no daemon runs, the gate before the application stands for its boot: what is staged comes first. A restore
 * that fails leaves the old state, which the gate then judges.
 */
export async function applyBeforeGate(
  context: OperationContext,
  params: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { mode = 'if-needed', dryRun = false, database } = params;
  if (mode !== 'if-needed' || dryRun !== false || database !== undefined) return;
  try {
    await applyStaged.run(context, { automatic: true });
  } catch (error) {
    context.activity.signal.throwIfAborted();
    context.activity.warn(messageOf(error));
  }
}
