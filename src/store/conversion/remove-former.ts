import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { type Layout, manifestPath } from '../layout.ts';
import { leasedSnapshots } from '../leases/list-leases.ts';
import { DATA_NAMES, isSuperseded, OWN_DESCRIPTION, otherFolders, SUPERSEDED } from './folders.ts';

/**
 * Removes what was converted, once nobody reads from it any more. Only under the writer's lock. False where somebody
 * still does.
 */
export async function removeFormer(layout: Layout, clock: Clock): Promise<boolean> {
  const isTop = layout.data === layout.root;
  const isTopFormer = !isTop && isSuperseded(layout.root);
  const { former } = await otherFolders(layout);
  if (isTopFormer || former.length > 0) {
    if (await isRead(layout, clock)) return false;
    if (isTopFormer) await removeData(layout.root, DATA_NAMES);
    for (const path of former) {
      await removeData(path, await readdir(path));
      await removeAll([path]);
    }
    await syncDirectory(layout.root);
  }
  if (isTop) return true;
  // What it was described by while it was being filled.
  const own = OWN_DESCRIPTION.map((name) => join(layout.data, name)).filter(existsSync);
  if (own.length === 0) return true;
  await removeAll(own);
  await syncDirectory(layout.data);
  return true;
}

/** Whether a snapshot is leased that is not in use any more. */
async function isRead(layout: Layout, clock: Clock): Promise<boolean> {
  try {
    const leased = await leasedSnapshots(layout, clock);
    return [...leased].some((id) => !existsSync(manifestPath(layout, id)));
  } catch (error) {
    // A lease that cannot be read may be of anything.
    if (error instanceof HoldfastError && error.code === 'IN_USE') return true;
    throw error;
  }
}

/** Last what says that they may be: stopped in between, the next one goes on. */
async function removeData(directory: string, names: readonly string[]): Promise<void> {
  const others = names.filter((name) => name !== SUPERSEDED).map((name) => join(directory, name));
  await removeAll(others.filter(existsSync));
  await syncDirectory(directory);
  await removeAll([join(directory, SUPERSEDED)]);
}

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await durableStep('unlink', path, () => rm(path, { recursive: true, force: true }));
  }
}
