import { mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bringFile } from '../files/bring-file.ts';
import { syncDirectory } from '../files/durable.ts';
import { chooseStagingDirectory, removeStaging } from '../files/staging.ts';
import { performSwap } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { holdExclusively } from '../sqlite/database-use.ts';
import { type FamilyStat, sameFamilyContent, statFamily } from '../sqlite/family.ts';

export interface InstallRequest {
  readonly stateDirectory: string;
  readonly scratchDirectory: string;
  readonly jobId: string | null;
  readonly sourceId: string;
  /** Where no staging may stand: the source's roots. */
  readonly forbiddenPaths: readonly string[];
  readonly database: string;
  /** A single file in scratch, of no further use there. */
  readonly candidate: string;
  readonly note: string;
  /** Of the family that was looked at; a later write refuses the installation. */
  readonly expected: FamilyStat;
}

/**
 * Puts the candidate in the database's place; sidecars go with the file they belong to. Returns the quarantine that
 * holds the family.
 * @throws TARGET_BUSY when a process uses the database, or wrote to it since it was looked at
 */
export async function installCandidate(
  request: InstallRequest,
  clock: Clock,
  activity: Activity,
): Promise<string | null> {
  const { stateDirectory, scratchDirectory, database, expected } = request;
  const holdDirectory = join(scratchDirectory, 'hold');
  await mkdir(holdDirectory, { recursive: true, mode: 0o700 });
  const staging = await chooseStagingDirectory(database, request.forbiddenPaths, stateDirectory);
  let hold: { release(): void } | null = null;
  try {
    const staged = join(staging, basename(database));
    await bringFile(request.candidate, staged, await stat(database));
    await syncDirectory(staging);
    const { quarantineId } = await performSwap(
      {
        stateDirectory,
        reason: 'recovery',
        jobId: request.jobId,
        sourceId: request.sourceId,
        note: request.note,
        items: [{ target: database, staged, family: true }],
        beforeSwap: async () => {
          hold = await holdExclusively(database, holdDirectory);
          if (sameFamilyContent(expected, await statFamily(database))) return;
          throw cannot('TARGET_BUSY', 'replace database', database, 'it was written to meanwhile', {
            hint: 'Stop the application that uses it, then recover again.',
            retryable: true,
          });
        },
      },
      clock,
      activity,
    );
    return quarantineId;
  } finally {
    (hold as { release(): void } | null)?.release();
    await removeStaging(staging, stateDirectory);
  }
}
