import { z } from 'zod';
import type { SourceSettings } from '../../config/settings.ts';
import { isoTime } from '../../kernel/clock.ts';
import { planFingerprint } from '../../restore/plan-fingerprint.ts';
import { restoreFile } from '../../restore/restore-file.ts';
import type { RestorePlan, RestoreRequest } from '../../restore/restore-request.ts';
import { type RestoreResult, restoreSnapshot } from '../../restore/restore-snapshot.ts';
import { readPlan, savePlan } from '../../restore/saved-plan.ts';
import type { StoreReader } from '../../store/store.ts';
import type { AssertionOutcome } from '../assertions.ts';
import { type Operation, type OperationContext, ownPaths, sourceOrOnly } from '../operation.ts';
import { withLease, withReader } from '../repository-access.ts';
import { withHooks } from '../with-hooks.ts';
import { beforeRestoreOf, takeCheckpoint, touchedPaths } from './checkpoint.ts';
import { refuseChanged, refuseUnasked, resolveSnapshot } from './guards.ts';
import { warnOfOtherKeys } from './keys.ts';
import { RestoreMigration } from './migration.ts';
import {
  expandDirectory,
  liveListing,
  selectionParameters,
  targetOf,
  targetParameter,
} from './parameters.ts';
import { tellPlugins } from './plugins.ts';
import { proveRestored } from './proof.ts';
import { StoppedService } from './service.ts';

const runParameters = z.strictObject({
  ...selectionParameters,
  target: targetParameter.default({ type: 'directory' }),
  dryRun: z.boolean().default(false),
});
type RunParameters = z.infer<typeof runParameters>;

const parameters = z.union([
  runParameters,
  /** Carries a plan out that a dry run made. */
  z.strictObject({ planId: z.string(), target: z.strictObject({ type: z.string() }).optional() }),
  /** One file to one place. */
  z.strictObject({
    file: z.strictObject({
      path: z.string().min(1),
      to: z.string().min(1).optional(),
      overwrite: z.boolean().default(false),
    }),
    snapshotId: z.string().min(1),
    sourceId: z.string().optional(),
    check: selectionParameters.check,
  }),
]);

async function requestOf(
  context: OperationContext,
  params: RunParameters,
  ids: { readonly snapshotId: string; readonly sourceId: string },
): Promise<RestoreRequest> {
  const { settings, jobId } = context;
  const source = () => sourceOrOnly(settings, ids.sourceId);
  const inPlace = params.target.type === 'in-place';
  return {
    ...ids,
    target: targetOf(params.target, source, settings, jobId),
    paths: params.paths,
    classes: params.classes,
    overwrite: params.overwrite ?? (inPlace ? 'always' : 'never'),
    dryRun: params.dryRun,
    check: params.check,
    ...(params.mode === 'mirror'
      ? { mirror: await liveListing(inPlace ? source() : null, settings) }
      : {}),
    forbiddenPaths: ownPaths(settings),
    stateDirectory: settings.stateDirectory,
    jobId,
  };
}

/** Plans, changes nothing, and keeps the plan so that it can be carried out by its id. */
async function planOnly(
  context: OperationContext,
  reader: StoreReader,
  params: RunParameters,
): Promise<Record<string, unknown>> {
  const { settings, activity, clock } = context;
  const ids = await resolveSnapshot(reader, context, params);
  await warnOfOtherKeys(context, reader, ids);
  const migration = migrationOf(context, reader, ids, params);
  let fingerprint = '';
  const request: RestoreRequest = {
    ...(await requestOf(context, params, ids)),
    inspectPlan: async (plan) => {
      fingerprint = await planFingerprint(plan);
      await migration.inspect(plan, true);
    },
  };
  const result = await restoreSnapshot(request, reader, activity, clock);
  const { target } = request;
  const kept = {
    ...params,
    ...ids,
    // Whoever carries it out means the very place that was looked at.
    target: target.type === 'in-place' ? params.target : target,
    dryRun: false,
    replaceDatabases: true,
  };
  const at = isoTime(clock.nowMs());
  const planId = await savePlan(settings.stateDirectory, { at, params: kept, fingerprint });
  return { ...result, ...migration.document, planId, preRestoreSnapshotId: null };
}

const migrationOf = (
  context: OperationContext,
  reader: StoreReader,
  ids: { readonly snapshotId: string; readonly sourceId: string },
  { migrate, allowNewer }: RunParameters,
): RestoreMigration =>
  new RestoreMigration(context, reader, ids, { migrate, allowNewer, purpose: 'restore' });

/** While it is restored a snapshot stays, whatever a policy says meanwhile. */
async function runRestore(
  context: OperationContext,
  reader: StoreReader,
  params: RunParameters,
  fingerprint: string | null,
): Promise<Record<string, unknown>> {
  const ids = await resolveSnapshot(reader, context, params);
  await warnOfOtherKeys(context, reader, ids);
  return withLease(context, ids.snapshotId, 'restore', () =>
    runLeased(context, reader, params, ids, fingerprint),
  );
}

async function runLeased(
  context: OperationContext,
  reader: StoreReader,
  params: RunParameters,
  ids: { readonly snapshotId: string; readonly sourceId: string },
  /** Of the plan that must be carried out; null: whatever the plan is now. */
  fingerprint: string | null,
): Promise<Record<string, unknown>> {
  const { settings, activity, clock } = context;
  const migration = migrationOf(context, reader, ids, params);
  const onDatabaseStaged = migration.hook;
  const request = { ...(await requestOf(context, params, ids)), onDatabaseStaged };
  const inspectPlan = async (plan: RestorePlan): Promise<void> => {
    refuseUnasked(plan, params.replaceDatabases);
    if (fingerprint !== null) await refuseChanged(plan, fingerprint);
    await migration.inspect(plan, false);
  };
  if (params.target.type !== 'in-place') {
    const result = await migration.settling(false, () =>
      restoreSnapshot({ ...request, inspectPlan }, reader, activity, clock),
    );
    const { target } = request;
    return { ...result, ...migration.document, target, preRestoreSnapshotId: null };
  }
  const source = sourceOrOnly(settings, ids.sourceId);
  if (source.service !== null) {
    // Before the application is stopped: what is refused anyway must not cost it a restart.
    const look = { ...request, dryRun: true, inspectPlan };
    await restoreSnapshot(look, reader, quiet(context), clock);
  }
  const { snapshotId } = ids;
  const work = { kind: 'restore', before: 'preRestore', after: 'postRestore', snapshotId } as const;
  return withHooks(context, source, work, () =>
    migration.settling(true, () =>
      runInPlace(context, reader, params, { request, source, fingerprint, inspectPlan, migration }),
    ),
  );
}

interface InPlace {
  readonly request: RestoreRequest;
  readonly source: SourceSettings;
  readonly fingerprint: string | null;
  readonly inspectPlan: (plan: RestorePlan) => Promise<void>;
  readonly migration: RestoreMigration;
}

async function runInPlace(
  context: OperationContext,
  reader: StoreReader,
  params: RunParameters,
  { request, source, fingerprint, inspectPlan, migration }: InPlace,
): Promise<Record<string, unknown>> {
  const { activity, clock } = context;
  const stopped = await StoppedService.stop(context, source);
  let preRestoreSnapshotId: string | null = null;
  let assertions: readonly AssertionOutcome[] = [];
  try {
    const result = await restoreSnapshot(
      {
        ...request,
        // Once it has stopped, an application has written what the plan did not know of.
        ...(source.service === null ? { inspectPlan } : {}),
        beforeSwap: async (plan) => {
          if (fingerprint !== null && source.service === null) {
            await refuseChanged(plan, fingerprint);
          }
          if (!params.checkpoint) return;
          const paths = touchedPaths(plan);
          const { snapshotId } = request;
          preRestoreSnapshotId = await takeCheckpoint(
            context,
            source.id,
            paths,
            beforeRestoreOf(snapshotId),
          );
        },
        afterSwap: async (plan) => {
          await tellPlugins(context, source, request.snapshotId, writtenTargets(plan));
          assertions = await proveRestored(context, source, stopped, writtenDatabases(plan));
        },
      },
      reader,
      activity,
      clock,
    );
    return { ...result, ...migration.document, preRestoreSnapshotId, assertions };
  } finally {
    await stopped.startAgain();
  }
}

/** The first look at a plan says nothing: the second one does. */
const quiet = ({ activity }: OperationContext) => ({
  ...activity,
  signal: activity.signal,
  warn: () => {},
});

const writtenTargets = ({ entries }: RestorePlan): string[] =>
  entries.filter(({ action }) => /^(create|overwrite)$/.test(action)).map(({ target }) => target);

const writtenDatabases = ({ entries }: RestorePlan): string[] =>
  entries
    .filter(({ type, action }) => type === 'database' && /^(create|overwrite)$/.test(action))
    .map(({ logicalPath }) => logicalPath);

/** Brings a snapshot, or part of it, back to disk. */
export const restore: Operation<z.infer<typeof parameters>> = {
  kind: 'restore',
  params: parameters,
  run(context, params) {
    const { settings, activity, clock, jobId } = context;
    return withReader(settings, async (reader) => {
      if ('planId' in params) {
        const plan = await readPlan(settings.stateDirectory, params.planId);
        const planned = runParameters.parse(plan.params);
        return {
          ...(await runRestore(context, reader, planned, plan.fingerprint)),
          planId: plan.planId,
        };
      }
      if ('file' in params) {
        const { snapshotId, sourceId } = await resolveSnapshot(reader, context, params);
        const { path, to, overwrite } = params.file;
        const result: RestoreResult = await restoreFile(
          {
            snapshotId,
            sourceId,
            path,
            to: to === undefined ? null : expandDirectory(to),
            overwrite,
            check: params.check,
            forbiddenPaths: ownPaths(settings),
            stateDirectory: settings.stateDirectory,
            jobId,
          },
          reader,
          activity,
          clock,
        );
        return { ...result, preRestoreSnapshotId: null };
      }
      return params.dryRun
        ? planOnly(context, reader, params)
        : runRestore(context, reader, params, null);
    });
  },
};
