import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { removeDurably, TEMPORARY_NAME } from './durable.ts';
import { quarantineHome } from './quarantine/quarantine-records.ts';

/** Somebody may be writing one that is younger: the daemon itself writes while its workers begin. */
const UNFINISHED_AFTER_MS = 60_000;

/** Where the state directory holds files of Holdfast's own; what lies deeper is somebody's data. */
async function foldersOf(stateDirectory: string): Promise<string[]> {
  const top = await subfolders(stateDirectory);
  return [stateDirectory, ...top, ...(await subfolders(quarantineHome(stateDirectory)))];
}

async function subfolders(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
}

/** Names in a directory that writeFileDurably began long ago and never gave their own; none where it is missing. */
export async function unfinishedWrites(directory: string, clock: Clock): Promise<string[]> {
  const unfinished: string[] = [];
  for (const name of await namesIn(directory)) {
    if (!TEMPORARY_NAME.test(name)) continue;
    const modifiedMs = await modifiedAt(join(directory, name));
    if (modifiedMs === null || clock.nowMs() - modifiedMs < UNFINISHED_AFTER_MS) continue;
    unfinished.push(name);
  }
  return unfinished;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Null where it got its name meanwhile, or is no file. */
async function modifiedAt(path: string): Promise<number | null> {
  try {
    const status = await lstat(path);
    return status.isFile() ? status.mtimeMs : null;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Removes what writeFileDurably left in a state directory when a process or the power ended in the middle of it.
 * Returns the paths. Only for a holder of the instance lock, before any other worker runs.
 */
export async function removeUnfinishedWrites(
  stateDirectory: string,
  clock: Clock,
): Promise<string[]> {
  const removed: string[] = [];
  for (const folder of await foldersOf(stateDirectory)) {
    for (const name of await unfinishedWrites(folder, clock)) {
      const path = join(folder, name);
      await removeDurably(path);
      removed.push(path);
    }
  }
  return removed;
}
