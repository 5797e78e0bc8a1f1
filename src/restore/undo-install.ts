import { existsSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { copyDurably } from '../files/copy-durably.ts';
import { removeDurably, syncDirectory } from '../files/durable.ts';
import { identify } from '../files/entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../files/family-members.ts';
import {
  type QuarantineItem,
  quarantinePath,
  readQuarantine,
} from '../files/quarantine/quarantine.ts';
import type { SwapDirectory, SwapItem, SwapResult } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import { disarmJournal } from '../sqlite/disarm-journal.ts';
import type { StagingPlaces } from './staging-places.ts';

/** The way back from a swap that was finished: what it replaced is taken from quarantine, what it made goes. */

/** Modes, owners and times of the directories that a swap changes, before it does. */
export async function directoriesAsTheyAre(
  directories: readonly SwapDirectory[],
  items: readonly SwapItem[],
): Promise<SwapDirectory[]> {
  const paths = new Set(directories.map(({ path }) => path));
  for (const { target } of items) paths.add(dirname(target));
  const found: SwapDirectory[] = [];
  for (const path of paths) {
    const status = await lstat(path, { bigint: true }).catch(() => null);
    if (status === null || !status.isDirectory()) continue;
    const owner = { uid: Number(status.uid), gid: Number(status.gid) };
    const mode = Number(status.mode) & 0o7777;
    found.push({ path, mode, owner, mtimeNs: String(status.mtimeNs) });
  }
  return found;
}

/**
 * A database is swapped as one file, so what its copy's WAL or journal holds is brought into the copy. Returns
 * false where SQLite cannot: then the members are put back one by one, just as they were.
 */
function fold(path: string): boolean {
  try {
    const database = new Database(path, { fileMustExist: true });
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
      database.pragma('wal_checkpoint(TRUNCATE)');
    } finally {
      database.close();
    }
    return true;
  } catch {
    return false;
  }
}

interface Undo {
  readonly stateDirectory: string;
  readonly swap: SwapResult;
  readonly places: StagingPlaces;
  readonly activity: Activity;
}

async function itemsBack(
  { target, family }: SwapItem,
  kept: QuarantineItem,
  name: string,
  { stateDirectory, swap, places, activity }: Undo,
): Promise<SwapItem[]> {
  const staging = await places.for(target);
  const main = join(staging, name);
  const quarantine = quarantinePath(stateDirectory, swap.id);
  const copied: SwapItem[] = [];
  for (const { name: member, stored } of kept.members) {
    const suffix = member.slice(basename(target).length);
    if (suffix === '-shm') continue;
    await copyDurably(join(quarantine, ...stored.split('/')), `${main}${suffix}`, activity);
    copied.push({ target: `${target}${suffix}`, staged: `${main}${suffix}`, family: false });
  }
  if (copied.length <= 1) return copied.map((item) => ({ ...item, family }));
  await disarmJournal(`${main}-journal`);
  if (!fold(main)) return copied.filter(({ staged }) => staged === null || existsSync(staged));
  for (const suffix of SIDECAR_SUFFIXES) await removeDurably(`${main}${suffix}`);
  await syncDirectory(staging);
  return [{ target, staged: main, family: true }];
}

/** What to swap so that everything stands again as it did before `items` were swapped in. */
export async function itemsToUndo(items: readonly SwapItem[], undo: Undo): Promise<SwapItem[]> {
  const { stateDirectory, swap } = undo;
  const record =
    swap.quarantineId === null ? null : await readQuarantine(stateDirectory, swap.quarantineId);
  const back: SwapItem[] = [];
  for (const [index, item] of items.entries()) {
    const kept = record?.items.find(({ target }) => target === item.target);
    if (kept !== undefined) {
      back.push(...(await itemsBack(item, kept, `back-${index}`, undo)));
    } else if ((await identify(item.target)) !== null) {
      back.push({ target: item.target, staged: null, family: item.family });
    }
  }
  return back;
}
