import { cannot } from '../kernel/errors.ts';
import type { MethodResult, ValidParams } from '../protocol/method-map.ts';
import { listPending, type PendingRestore, removePending } from '../restore/pending-restore.ts';
import { readPlan } from '../restore/saved-plan.ts';
import { requireConfirmed } from './confirmation.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { pageByTime } from './pages.ts';
import { findSource, snapshotSourceId } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

/** The snapshot that is meant now, not when the job's turn comes; and whose it is. @throws NOT_FOUND */
async function frozen(
  { snapshotId: reference, sourceId: named }: { snapshotId: string; sourceId?: string | undefined },
  context: ApiContext,
): Promise<{ snapshotId: string; source: { id: string; name: string } }> {
  const reader = await context.openReader();
  const wanted =
    named === undefined ? undefined : snapshotSourceId(context.settings, reader, named);
  const snapshotId = reader.resolveSnapshot(reference, wanted);
  const { source } = await reader.readManifest(snapshotId);
  if (wanted === undefined || source.id === wanted) return { snapshotId, source };
  throw cannot('NOT_FOUND', 'restore snapshot', reference, `it is of "${source.name}"`, {
    hint: 'Leave the source out, or name a snapshot of it.',
  });
}

type RunParams = Omit<ValidParams<'restore.run'>, 'planId' | 'idempotencyKey'>;
type Bandwidth = RunParams['bandwidth'];

async function submitRestore(
  { confirm, all: _all, ...params }: RunParams & { snapshotId: string },
  idempotencyKey: string | undefined,
  context: ApiContext,
) {
  const { snapshotId, source } = await frozen(params, context);
  const { sourceId: _named, ...rest } = params;
  const inPlace = params.target?.type === 'in-place' && params.dryRun !== true;
  if (inPlace) requireConfirmed(confirm, source, 'restore in place', context);
  return submitJob(context, {
    kind: 'restore',
    sourceId: source.id,
    params: { ...rest, snapshotId },
    // Into a directory it touches neither the repository nor what is protected.
    mutating: inPlace,
    idempotencyKey,
  });
}

async function submitPlanned(
  planId: string,
  bandwidth: Bandwidth,
  idempotencyKey: string | undefined,
  context: ApiContext,
) {
  const { params } = await readPlan(context.settings.stateDirectory, planId);
  // No confirmation: the plan names snapshot, source and targets, and holds only as long as they do.
  const { sourceId, target } = params as { sourceId: string; target: { type: string } };
  return submitJob(context, {
    kind: 'restore',
    sourceId,
    params: { planId, target: { type: target.type }, bandwidth },
    mutating: target.type === 'in-place',
    idempotencyKey,
  });
}

export const restoreHandlers: HandlersOf<'restore'> = {
  'restore.plan': ({ idempotencyKey, ...params }, context) =>
    submitRestore({ ...params, dryRun: true }, idempotencyKey, context),
  'restore.run': ({ planId, snapshotId, idempotencyKey, ...params }, context) =>
    planId === undefined
      ? submitRestore({ ...params, snapshotId: snapshotId! }, idempotencyKey, context)
      : submitPlanned(planId, params.bandwidth, idempotencyKey, context),
  'restore.file': async ({ idempotencyKey, check, ...params }, context) => {
    const { snapshotId, source } = await frozen(params, context);
    const { path, to, overwrite } = params;
    return submitJob(context, {
      kind: 'restore',
      sourceId: source.id,
      params: { snapshotId, check, file: withoutUndefined({ path, to, overwrite }) },
      // It may go among the files of a source.
      mutating: to !== undefined,
      idempotencyKey,
    });
  },
  'restore.stage': async ({ idempotencyKey, confirm, all: _all, ...params }, context) => {
    const { snapshotId, source } = await frozen(params, context);
    requireConfirmed(confirm, source, 'restore in place', context);
    const { sourceId: _named, ...rest } = params;
    return submitJob(context, {
      kind: 'stage',
      sourceId: source.id,
      params: { ...rest, snapshotId },
      mutating: true,
      idempotencyKey,
    });
  },
  'restore.pending': async (params, { settings }) => {
    const sourceId =
      params.sourceId === undefined ? undefined : findSource(settings, params.sourceId).id;
    const all = (await listPending(settings.stateDirectory)).reverse();
    const items = all.filter((pending) => sourceId === undefined || pending.sourceId === sourceId);
    const scope = ['restore.pending', sourceId ?? null];
    return pageByTime(items, params, scope, ({ id, stagedAt: at }) => ({ id, at }), documentOf);
  },
  'restore.cancel': async ({ id }, { settings, jobs }) => {
    const running =
      jobs.counts().running > 0 && (await isBeingApplied(settings.stateDirectory, id));
    if (running) {
      throw cannot('NOT_CANCELLABLE', 'cancel staged restore', id, 'it is being put in place', {
        retryable: true,
      });
    }
    await removePending(settings.stateDirectory, id);
    return { id };
  },
  'restore.apply': ({ id, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'apply',
      sourceId: null,
      params: { id },
      mutating: true,
      idempotencyKey,
    }),
};

const withoutUndefined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

async function isBeingApplied(stateDirectory: string, id: string): Promise<boolean> {
  const all = await listPending(stateDirectory);
  return all.some((pending) => pending.id === id && pending.state === 'applying');
}

function documentOf(pending: PendingRestore): MethodResult<'restore.pending'>['items'][number] {
  const { id, snapshotId, sourceId, paths, classes, mode, overwrite, checkpoint } = pending;
  const { applyWhen, stagedAt, stagedBy, bytes, state, attempts, lastError } = pending;
  return {
    ...{ id, snapshotId, sourceId, paths, classes, mode, overwrite, checkpoint },
    ...{ applyWhen, stagedAt, stagedBy, bytes, state, attempts },
    lastError: lastError as MethodResult<'restore.pending'>['items'][number]['lastError'],
  };
}
