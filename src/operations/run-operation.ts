import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { type BandwidthChoice, bandwidthOf, limitBandwidth } from '../files/bandwidth.ts';
import { hasBegunSwaps, resumeSwaps } from '../files/swap/swap.ts';
import type { JobKind } from '../jobs/job.ts';
import type { WorkerStart } from '../jobs/worker-messages.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import { annotate } from './annotate.ts';
import { artifact } from './artifact/artifact.ts';
import { bootstrap, bootstrapBeforeGate } from './artifact/bootstrap.ts';
import { publish } from './artifact/publish.ts';
import { backup } from './backup.ts';
import { check } from './check.ts';
import { copy } from './copy.ts';
import { coverage } from './coverage.ts';
import { deleteSnapshots } from './delete.ts';
import { diff } from './diff.ts';
import { discover } from './discover.ts';
import { drill } from './drill.ts';
import { exportOperation } from './export/export.ts';
import { forget } from './forget.ts';
import { hook } from './hook.ts';
import { importOperation } from './import/import.ts';
import { init } from './init.ts';
import { key } from './key.ts';
import { maintain } from './maintain.ts';
import { migrate } from './migrate/migrate.ts';
import { underInstanceLock } from './offline.ts';
import type { Operation, OperationContext } from './operation.ts';
import { plugin } from './plugin.ts';
import { prune } from './prune.ts';
import { rebuild } from './rebuild.ts';
import { reconcile } from './reconcile.ts';
import { recover } from './recover.ts';
import { takeMasterKey } from './repository-key.ts';
import { reseal } from './reseal.ts';
import { applyBeforeGate, applyStaged } from './restore/apply.ts';
import { restore } from './restore/restore.ts';
import { stage } from './restore/stage.ts';
import { verify } from './verify.ts';

// Each operation validates its own parameters, so that here they are all of unknown shape.
const OPERATIONS: Record<JobKind, Operation<never>> = {
  backup,
  restore,
  stage,
  apply: applyStaged,
  recover,
  verify,
  drill,
  coverage,
  discover,
  check,
  forget,
  prune,
  delete: deleteSnapshots,
  annotate,
  init,
  maintain,
  hook,
  plugin,
  diff,
  artifact,
  publish,
  bootstrap,
  export: exportOperation,
  import: importOperation,
  migrate,
  reseal,
  rebuild,
  key,
  copy,
  reconcile,
} as Record<JobKind, Operation<never>>;

/** Neither a result nor an error may be lost over it: what stays is removed at the next start. */
async function removeScratch(directory: string, activity: Activity): Promise<void> {
  await rm(directory, { recursive: true, force: true }).catch((error: unknown) =>
    activity.warn(`Scratch stays for now: ${messageOf(error)}`),
  );
}

/** What takes the protected files for what they are, or replaces them. */
const OF_PROTECTED_FILES: ReadonlySet<JobKind> = new Set<JobKind>([
  'apply',
  'artifact',
  'backup',
  'bootstrap',
  'import',
  'migrate',
  'publish',
  'recover',
  'restore',
  'stage',
]);

/**
 * A swap whose disk failed both on the way and on the way back is half done: that state is nobody's, and must be
 * in no snapshot. No other job that swaps runs beside this one.
 */
async function finishBegunSwaps(
  kind: JobKind,
  { settings, clock, activity }: OperationContext,
): Promise<void> {
  const { stateDirectory } = settings;
  if (!OF_PROTECTED_FILES.has(kind) || !(await hasBegunSwaps(stateDirectory))) return;
  for (const { outcome, targets } of await resumeSwaps(stateDirectory, clock, activity)) {
    activity.warn(`An interrupted restore or repair was ${outcome}: ${targets.join(', ')}`);
  }
}

/** Runs the job that a worker was started for, in a scratch directory of its own. @throws INVALID_PARAMS */
export async function runOperation(
  start: WorkerStart,
  activity: Activity,
  clock: Clock,
): Promise<Record<string, unknown>> {
  const operation = OPERATIONS[start.kind];
  const { bandwidth, ...params } = start.params as { bandwidth?: BandwidthChoice };
  const parsed = operation.params.safeParse(params);
  if (!parsed.success) {
    throw cannot(
      'INVALID_PARAMS',
      'run',
      start.kind,
      parsed.error.issues[0]?.message ?? 'invalid',
      {
        details: { issues: parsed.error.issues.slice(0, 20) },
      },
    );
  }
  const settings = start.settings as Settings;
  takeMasterKey(start);
  const scratchDirectory = join(settings.stateDirectory, 'scratch', start.jobId);
  await mkdir(scratchDirectory, { recursive: true, mode: 0o700 });
  const context = { activity, settings, clock, jobId: start.jobId, scratchDirectory };
  const run = async (): Promise<Record<string, unknown>> => {
    if (start.offline === true && start.kind === 'recover') {
      await applyBeforeGate(context, start.params);
      await bootstrapBeforeGate(context, start.params);
    }
    await finishBegunSwaps(start.kind, context);
    return operation.run(context, parsed.data);
  };
  const host = bandwidthOf(settings.bandwidth, bandwidth);
  const unlimit = limitBandwidth(host, clock, activity.signal);
  try {
    return await (start.offline === true ? underInstanceLock(context, run) : run());
  } finally {
    unlimit();
    await removeScratch(scratchDirectory, activity);
  }
}
