import { constants } from 'node:fs';
import { chown, copyFile, link, mkdir, open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncDirectory, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { chooseStagingDirectory, removeStaging } from '../files/staging.ts';
import { performSwap } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
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

const CANNOT_LINK: ReadonlySet<string | undefined> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
]);

/** The very file that passed its gates, where it lies on the target's file system; else a copy. */
async function bring(from: string, to: string): Promise<void> {
  try {
    await durableStep('link', to, () => link(from, to));
  } catch (error) {
    if (!CANNOT_LINK.has(systemCode(error))) throw error;
    await durableStep('write', to, () => copyFile(from, to, constants.COPYFILE_FICLONE));
  }
}

/** Brings the candidate beside its target: mode and owner of the file it replaces, content durable. */
async function stage(from: string, to: string, like: string): Promise<void> {
  const { mode, uid, gid } = await stat(like);
  await bring(from, to);
  // Only root may give files away.
  if (process.getuid?.() === 0) await chown(to, uid, gid);
  const handle = await open(to, 'r+');
  try {
    await handle.chmod(mode & 0o7777);
    await syncFile(handle, to);
  } finally {
    await handle.close();
  }
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
    await stage(request.candidate, staged, database);
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
