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
import { underInstanceLock } from './offline.ts';
import type { Operation, OperationContext } from './operation.ts';
import { takeMasterKey } from './repository-key.ts';

// Loaded when it is asked for: a worker does one of them, and all of them together take long to start.
// Each operation validates its own parameters, so that here they are all of unknown shape.
const OPERATIONS = {
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./restore/restore.ts')).restore,
  stage: async () => (await import('./restore/stage.ts')).stage,
  apply: async () => (await import('./restore/apply.ts')).applyStaged,
  recover: async () => (await import('./recover.ts')).recover,
  verify: async () => (await import('./verify.ts')).verify,
  drill: async () => (await import('./drill.ts')).drill,
  coverage: async () => (await import('./coverage.ts')).coverage,
  discover: async () => (await import('./discover.ts')).discover,
  check: async () => (await import('./check.ts')).check,
  forget: async () => (await import('./forget.ts')).forget,
  prune: async () => (await import('./prune.ts')).prune,
  delete: async () => (await import('./delete.ts')).deleteSnapshots,
  annotate: async () => (await import('./annotate.ts')).annotate,
  init: async () => (await import('./init.ts')).init,
  maintain: async () => (await import('./maintain.ts')).maintain,
  hook: async () => (await import('./hook.ts')).hook,
  plugin: async () => (await import('./plugin.ts')).plugin,
  diff: async () => (await import('./diff.ts')).diff,
  artifact: async () => (await import('./artifact/artifact.ts')).artifact,
  publish: async () => (await import('./artifact/publish.ts')).publish,
  bootstrap: async () => (await import('./artifact/bootstrap.ts')).bootstrap,
  export: async () => (await import('./export/export.ts')).exportOperation,
  import: async () => (await import('./import/import.ts')).importOperation,
  migrate: async () => (await import('./migrate/migrate.ts')).migrate,
  reseal: async () => (await import('./reseal.ts')).reseal,
  rebuild: async () => (await import('./rebuild.ts')).rebuild,
  key: async () => (await import('./key.ts')).key,
  copy: async () => (await import('./copy.ts')).copy,
  accept: async () => (await import('./accept.ts')).accept,
  convert: async () => (await import('./convert.ts')).convert,
  reconcile: async () => (await import('./reconcile.ts')).reconcile,
} as unknown as Record<JobKind, () => Promise<Operation<never>>>;

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
  const operation = await OPERATIONS[start.kind]();
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
      const { applyBeforeGate } = await import('./restore/apply.ts');
      const { bootstrapBeforeGate } = await import('./artifact/bootstrap.ts');
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
