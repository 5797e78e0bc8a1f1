import { rm, rmdir, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { removeDurably, syncDirectory } from '../durable.ts';
import { durableStep } from '../durable-steps.ts';
import { identify, sameEntry, utimeSeconds } from '../entry-identity.ts';
import { quarantinePath, writeQuarantineRecord } from '../quarantine/quarantine.ts';
import { type JournalItem, removeJournal, type SwapJournal, type SwapMember } from './journal.ts';
import {
  displace,
  drop,
  dropHeld,
  isBlocked,
  moveIn,
  moveOut,
  storedPath,
  syncParents,
} from './names.ts';
import { quarantineRecordOf } from './record.ts';

/** The way back. It looks at the disk, not at how far the swap got, so that it can be cut short and repeated. */
interface Undo {
  readonly stateDirectory: string;
  readonly journal: SwapJournal;
}

/** Clears a name for its original: what was staged goes back there, anything unknown is kept in quarantine. */
async function clearName(undo: Undo, item: JournalItem, member: SwapMember): Promise<void> {
  const { stateDirectory, journal } = undo;
  const now = await identify(member.path);
  if (now === null) return;
  const isMain = member === item.members[0];
  // Left standing: the original replaces it in one step.
  if (isMain && (await isBlocked(stateDirectory, journal, item))) return;
  const isStaged = isMain && item.staged !== null && now.inode === item.stagedInode;
  if (isStaged && (await identify(item.staged)) === null) await moveOut(member.path, item.staged);
  else await displace(stateDirectory, journal, item, member);
}

async function putBack(undo: Undo, item: JournalItem, member: SwapMember): Promise<void> {
  const { before, path, held } = member;
  if (before === null || sameEntry(await identify(path), before)) return;
  if ((await identify(held)) === null) {
    throw cannot('RECOVERY_FAILED', 'put back', path, `the original is not at "${held}" any more`, {
      hint: 'Nothing further was changed. Look for the original by hand before starting again.',
    });
  }
  await clearName(undo, item, member);
  await moveIn(held, path);
}

/** Takes away what the swap put where nothing had been; what somebody else put there stays. */
async function emptyName(undo: Undo, item: JournalItem): Promise<void> {
  const { stateDirectory, journal } = undo;
  const { target, staged, stagedInode } = item;
  if (await isBlocked(stateDirectory, journal, item)) {
    await drop(target);
    return;
  }
  const now = await identify(target);
  if (now === null || staged === null || now.inode !== stagedInode) return;
  if ((await identify(staged)) === null) await moveOut(target, staged);
}

/** Sidecars first, the main file last: until then the name is blocked, so that nothing opens half a family. */
async function undoItem(undo: Undo, item: JournalItem): Promise<void> {
  const [main, ...sidecars] = item.members as [SwapMember, ...SwapMember[]];
  const now = await identify(main.path);
  if (main.before !== null && sameEntry(now, main.before)) return;
  for (const sidecar of sidecars) {
    if (sidecar.before !== null) await putBack(undo, item, sidecar);
    else if (main.before !== null) await clearName(undo, item, sidecar);
  }
  await syncParents(sidecars.filter(({ before }) => before !== null).map(({ path }) => path));
  if (main.before === null) await emptyName(undo, item);
  else await putBack(undo, item, main);
}

/** Removes second names of originals that stand in their place again. */
async function letGo(undo: Undo): Promise<void> {
  const { stateDirectory, journal } = undo;
  const quarantine = quarantinePath(stateDirectory, journal.id);
  const folders = new Set<string>();
  for (const item of journal.items) {
    if (item.blocker !== null) await removeDurably(item.blocker);
    for (const member of item.members) {
      folders.add(dirname(member.held));
      if (member.before === null) continue;
      const held = await identify(member.held);
      // Whoever removed or replaced the original meanwhile meant it: the second name is the last, and is kept.
      const isSecond = held !== null && sameEntry(held, await identify(member.path));
      if (isSecond) await dropHeld(member.held);
      else if (held !== null)
        await displace(stateDirectory, journal, item, { ...member, path: member.held });
      const copy = join(quarantine, storedPath(item, member));
      if (copy !== member.held) await rm(copy, { recursive: true, force: true });
      folders.add(dirname(copy));
    }
  }
  for (const folder of [...folders, ...journal.holdDirectories]) await removeEmpty(folder);
}

const LEFT_ALONE_CODES = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

/** Removes a directory if it is there and empty; one that somebody put something in stays. */
async function removeEmpty(path: string): Promise<void> {
  try {
    await durableStep('rmdir', path, () => rmdir(path));
    await syncDirectory(dirname(path));
  } catch (error) {
    const code = systemCode(error);
    if (!LEFT_ALONE_CODES.has(code ?? '')) throw error;
  }
}

async function restoreTimes(journal: SwapJournal): Promise<void> {
  for (const { path, mtimeNs } of journal.touchedDirectories) {
    const now = await identify(path);
    if (now === null || now.mtimeNs === mtimeNs) continue;
    const mtime = utimeSeconds(mtimeNs);
    await utimes(path, mtime, mtime);
    await syncDirectory(path);
  }
}

/**
 * Undoes an uncommitted swap: every name, content, mode and time as it was. What appeared in between is kept in
 * quarantine.
 * @throws RECOVERY_FAILED when an original is in neither of its places
 */
export async function rollBackSwap(stateDirectory: string, journal: SwapJournal): Promise<void> {
  const undo: Undo = { stateDirectory, journal };
  // Plain files first: databases stay blocked until everything else is back.
  const others = journal.items.filter(({ blocker }) => blocker === null);
  const families = journal.items.filter(({ blocker }) => blocker !== null);
  for (const item of [...others.reverse(), ...families.reverse()]) await undoItem(undo, item);
  await syncParents(
    journal.items.filter(({ target }) => isReachable(journal, target)).map(({ target }) => target),
  );
  for (const path of [...journal.createdDirectories].reverse()) await removeEmpty(path);
  await letGo(undo);
  await restoreTimes(journal);
  const record = await quarantineRecordOf(stateDirectory, journal, true);
  if (record === null) await removeEmpty(quarantinePath(stateDirectory, journal.id));
  else await writeQuarantineRecord(stateDirectory, record);
  await removeJournal(stateDirectory, journal.id);
}

/** False for a target below a directory that the swap makes, and that may not exist. */
function isReachable(journal: SwapJournal, target: string): boolean {
  return !journal.createdDirectories.includes(dirname(target));
}
