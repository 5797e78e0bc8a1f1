import { randomBytes } from 'node:crypto';
import { constants, fsync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { systemCode } from '../kernel/errors.ts';
import { durableStep } from './durable-steps.ts';

const fsyncDescriptor = promisify(fsync);

/**
 * The durable file system: what these functions report as done survives a power cut.
 * A new name is durable only once its directory was synced; a content only once its file was.
 */

/** Syncs a directory's entries. */
export async function syncDirectory(path: string): Promise<void> {
  await durableStep('fsync-directory', path, async () => {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Syncs a file's content through an open handle. */
export async function syncFile(handle: FileHandle, path: string): Promise<void> {
  await durableStep('fsync', path, () => handle.sync());
}

/** As syncFile, for a descriptor. */
export async function syncDescriptor(descriptor: number, path: string): Promise<void> {
  await durableStep('fsync', path, () => fsyncDescriptor(descriptor));
}

/** Creates missing directories with `mode` and makes their names durable. */
export async function makeDirectory(path: string, mode = 0o700): Promise<void> {
  const created = await durableStep('mkdir', path, () => mkdir(path, { recursive: true, mode }));
  if (created === undefined) return;
  // Every level that was created has its name in its parent, from the topmost down to the last.
  let level = path;
  while (level.length >= created.length) {
    await syncDirectory(dirname(level));
    level = dirname(level);
  }
}

/** Renames within one file system and makes both directories durable. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await durableStep('rename', to, () => rename(from, to));
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

/** Removes a file; a missing one is fine. */
export async function removeDurably(path: string): Promise<void> {
  try {
    await durableStep('unlink', path, () => unlink(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Removes an empty directory; a missing one is fine. */
export async function removeDirectoryDurably(path: string): Promise<void> {
  try {
    await durableStep('rmdir', path, () => rmdir(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** A name beside `path` that no other process uses. Leftovers are recognised by TEMPORARY_NAME. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

export const TEMPORARY_NAME = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** Replaces or creates `path` with `content`: after a crash either the old or the new content is there. */
export async function writeFileDurably(
  path: string,
  content: Uint8Array | string,
  mode = 0o600,
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await durableStep('write', path, () => handle.writeFile(content));
      await syncFile(handle, path);
    } finally {
      await handle.close();
    }
    await renameDurably(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}
