import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { cleanLeftoverStaging } from '../files/staging.ts';
import { resumeSwaps } from '../files/swap.ts';
import { systemCode } from '../kernel/errors.ts';
import type { Operation, OperationContext } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';

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
  activity.progress({ phase: 'remove leftovers' });
  const staging = await cleanLeftoverStaging(settings.stateDirectory);
  const scratch = await removeLeftoverScratch(context);
  return { swaps, staging, scratch: scratch.length };
}

/** What is done after whatever end the last run came to, before anything else. */
export const reconcile: Operation<Record<string, never>> = {
  kind: 'reconcile',
  params: z.strictObject({}),
  async run(context) {
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
