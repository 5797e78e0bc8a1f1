import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { systemCode } from '../kernel/errors.ts';
import { disarmJournal } from '../sqlite/disarm-journal.ts';

/** Private copies of a family in scratch, to be opened, edited and thrown away. They need not be durable. */

export type CopiedSidecar = '-wal' | '-journal';

const COPY_NAME = 'copy.db';
const COPY_MODE = 0o600;

export async function bytesOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

async function copyOne(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await chmod(to, COPY_MODE);
}

/**
 * Copies the main file and the named sidecars that exist into the new directory `directory`; returns the copy's
 * main file. `-shm` is never copied: SQLite makes it again from the WAL. Nothing in this process may have the
 * family open.
 */
export async function copyFamilyAside(
  main: string,
  directory: string,
  sidecars: readonly CopiedSidecar[],
  activity: Activity,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const copy = join(directory, COPY_NAME);
  await copyOne(main, copy);
  for (const suffix of sidecars) {
    activity.signal.throwIfAborted();
    if ((await bytesOf(`${main}${suffix}`)) === null) continue;
    await copyOne(`${main}${suffix}`, `${copy}${suffix}`);
    if (suffix === '-journal') await disarmJournal(`${copy}${suffix}`);
  }
  activity.signal.throwIfAborted();
  return copy;
}
