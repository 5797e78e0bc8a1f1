import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { cleanLeftoverStaging, removeUnfinishedRegistrations } from '../files/staging.ts';
import { resumeSwaps } from '../files/swap/swap.ts';
import { removeUnfinishedWrites } from '../files/unfinished-writes.ts';
import { systemCode } from '../kernel/errors.ts';
import { forgetApplied } from '../restore/pending-restore.ts';
import { planReconcile } from '../store/repository.ts';
import { endInterruptedMigrations } from './migrate/migrate-staged.ts';
import type { Operation, OperationContext } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';
import { startLeftServices } from './restore/service.ts';

/** Scratch of jobs that ended with their process. Only one worker runs while this one does. */
async function removeLeftoverScratch({ scratchDirectory }: OperationContext): Promise<string[]> {
  const parent = dirname(scratchDirectory);
  const names = await readdir(parent).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const leftovers = names.filter((name) => name !== basename(scratchDirectory));
  for (const name of leftovers) await rm(join(parent, name), { recursive: true, force: true });
  return leftovers;
}

/**
 * Unfinished swaps are rolled forward or back first, for they concern the protected data; then staging and
 * scratch go. Only for a holder of the instance lock, before any other worker runs.
 */
export async function finishInterruptedWork(
  context: OperationContext,
): Promise<{ swaps: readonly unknown[]; staging: readonly string[]; scratch: number }> {
  const { activity, settings, clock } = context;
  activity.progress({ phase: 'finish swaps' });
  const swaps = await resumeSwaps(settings.stateDirectory, clock, activity);
  for (const { outcome, targets } of swaps) {
    activity.warn(`An interrupted restore or repair was ${outcome}: ${targets.join(', ')}`);
  }
  await forgetApplied(settings.stateDirectory);
  await startLeftServices(context);
  await endInterruptedMigrations(context, null);
  activity.progress({ phase: 'remove leftovers' });
  await removeUnfinishedRegistrations(settings.stateDirectory);
  await removeUnfinishedWrites(settings.stateDirectory, clock);
  const staging = await cleanLeftoverStaging(settings.stateDirectory);
  const scratch = await removeLeftoverScratch(context);
  return { swaps, staging, scratch: scratch.length };
}

const parameters = z.strictObject({
  /** The repository alone: nothing that jobs left elsewhere. */
  repositoryOnly: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  /** What this job left when its worker was ended, and nothing else: others may be running. */
  afterJob: z.string().optional(),
});

/** Adopts or sets aside what the catalog does not know; a dry run only lists it. */
async function reconcileRepository(
  { settings, clock, activity }: OperationContext,
  dryRun: boolean,
): Promise<Record<string, unknown>> {
  if (dryRun) {
    const key = await repositoryKey(settings);
    return { dryRun, repository: await planReconcile(settings.repositoryDirectory, key) };
  }
  const writer = await openRepositoryWriter(settings, clock, activity, 'reconcile');
  try {
    return { dryRun, repository: writer.reconciled };
  } finally {
    await writer.close();
  }
}

/** Swaps have a lock of their own and staging names its process, so that living jobs are left alone. */
async function finishAfterJob(
  context: OperationContext,
  jobId: string,
): Promise<Record<string, unknown>> {
  const { activity, settings, clock, scratchDirectory } = context;
  const swaps = await resumeSwaps(settings.stateDirectory, clock, activity);
  await forgetApplied(settings.stateDirectory);
  await startLeftServices(context, jobId);
  await endInterruptedMigrations(context, jobId);
  const staging = await cleanLeftoverStaging(settings.stateDirectory);
  await rm(join(dirname(scratchDirectory), basename(jobId)), { recursive: true, force: true });
  return { swaps, staging };
}

/** What is done after whatever end the last run came to, before anything else; or after one job's violent end. */
export const reconcile: Operation<z.infer<typeof parameters>> = {
  kind: 'reconcile',
  params: parameters,
  async run(context, { afterJob, repositoryOnly, dryRun }) {
    if (repositoryOnly) return reconcileRepository(context, dryRun);
    if (afterJob !== undefined) return finishAfterJob(context, afterJob);
    const { activity, settings, clock } = context;
    const finished = await finishInterruptedWork(context);
    activity.progress({ phase: 'reconcile repository' });
    const writer = await openRepositoryWriter(settings, clock, activity, 'reconcile');
    try {
      return { ...finished, repository: writer.reconciled };
    } finally {
      await writer.close();
    }
  },
};
