import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { copyDurably } from '../copy-durably.ts';
import { makeDirectory, removeDurably, syncDirectory } from '../durable.ts';
import { durableStep } from '../durable-steps.ts';
import { identify, utimeSeconds } from '../entry-identity.ts';
import { inOwnDirectory, withDirectory } from '../opened-place.ts';
import { ParallelWork } from '../parallel-work.ts';
import { quarantinePath, writeQuarantineRecord } from '../quarantine/quarantine.ts';
import {
  type JournalItem,
  removeJournal,
  type SwapDirectory,
  type SwapJournal,
  type SwapMember,
} from './journal.ts';
import {
  block,
  displace,
  drop,
  holdByLink,
  isBlocked,
  moveIn,
  requireUnchanged,
  storedPath,
  syncParents,
  takeAway,
  vacate,
} from './names.ts';
import { quarantineRecordOf } from './record.ts';

/** The way forward. Each phase is durable before the next begins, and can be repeated after a crash. */

/** Syncs that wait for the medium together are written by it together. */
const DIRECTORIES_AT_ONCE = 32;

const membersOf = (journal: SwapJournal): SwapMember[] =>
  journal.items.flatMap(({ members }) => members);

const isInQuarantine = (stateDirectory: string, journal: SwapJournal, path: string): boolean =>
  path.startsWith(`${quarantinePath(stateDirectory, journal.id)}/`);

/**
 * Copies originals to the quarantine where they cannot be moved there, before any lock is taken: it opens
 * them. Returns the journal with what was copied.
 */
export async function copyOriginals(
  stateDirectory: string,
  journal: SwapJournal,
  activity: Activity,
): Promise<SwapJournal> {
  const quarantine = quarantinePath(stateDirectory, journal.id);
  const items: JournalItem[] = [];
  for (const item of journal.items) {
    const members: SwapMember[] = [];
    for (const member of item.members) {
      if (member.before === null || isInQuarantine(stateDirectory, journal, member.held)) {
        members.push(member);
        continue;
      }
      const place = join(quarantine, storedPath(item, member));
      await makeDirectory(dirname(place));
      members.push({ ...member, copy: await copyDurably(member.path, place, activity) });
    }
    items.push({ ...item, members });
  }
  return { ...journal, items };
}

async function createParents(journal: SwapJournal): Promise<void> {
  const listed = new Set(journal.directories.map(({ path }) => path));
  for (const path of journal.createdDirectories) {
    // Directories whose mode is still to come are private until then.
    const mode = listed.has(path) ? 0o700 : 0o755;
    await durableStep('mkdir', path, () => inOwnDirectory(path, (place) => mkdir(place, { mode })));
    await syncDirectory(dirname(path));
  }
}

async function holdOriginals(journal: SwapJournal, activity: Activity): Promise<void> {
  const folders = new Set(
    journal.items
      .filter(({ members, blocker, staged }) => {
        const keeps = members.some(({ before }) => before !== null);
        return keeps || (blocker !== null && staged === null);
      })
      .map(({ members }) => dirname(members[0]!.held)),
  );
  for (const folder of folders) await makeDirectory(folder);
  for (const member of membersOf(journal)) {
    activity.signal.throwIfAborted();
    await holdByLink(member);
    await requireUnchanged(member);
  }
  for (const folder of folders) await syncDirectory(folder);
}

async function clearFamilies(
  stateDirectory: string,
  journal: SwapJournal,
  activity: Activity,
): Promise<void> {
  const families = journal.items.filter(({ blocker }) => blocker !== null);
  for (const item of families) {
    activity.signal.throwIfAborted();
    await requireUnchanged(item.members[0]!);
    await block(stateDirectory, journal, item);
  }
  await syncParents(families.map(({ target }) => target));
  const sidecars = families.flatMap(({ members }) => members.slice(1));
  for (const member of sidecars) {
    await requireUnchanged(member);
    if (member.before !== null) await takeAway(member);
  }
  await syncParents(sidecars.filter(({ before }) => before !== null).map(({ path }) => path));
}

async function installOthers(journal: SwapJournal, activity: Activity): Promise<void> {
  const others = journal.items.filter(({ blocker }) => blocker === null);
  for (const [done, { members, staged, target }] of others.entries()) {
    activity.signal.throwIfAborted();
    for (const member of members) await requireUnchanged(member);
    const main = members[0]!;
    if (staged !== null) {
      // A directory cannot be renamed onto a file; everything else replaces the original in one step.
      const isDirectory = (await identify(staged))?.kind === 'directory';
      if (isDirectory && main.before !== null) await takeAway(main);
      else await vacate(main);
      await moveIn(staged, target);
    } else if (main.before !== null) {
      await takeAway(main);
    }
    activity.progress({ phase: 'swap', filesDone: done + 1 });
  }
  await syncParents(others.flatMap(({ target, staged }) => [target, staged ?? target]));
}

/** Everything before the commit record. Nothing of it can be seen by an application that needs its databases. */
export async function changeUpToCommit(
  stateDirectory: string,
  journal: SwapJournal,
  activity: Activity,
): Promise<void> {
  await createParents(journal);
  await holdOriginals(journal, activity);
  await clearFamilies(stateDirectory, journal, activity);
  await installOthers(journal, activity);
}

/** Puts a staged database at its blocked name. Whatever appeared beside it meanwhile must not be replayed into it. */
async function unblock(
  stateDirectory: string,
  journal: SwapJournal,
  item: JournalItem,
): Promise<void> {
  const { staged, target, members } = item;
  const blocked = await isBlocked(stateDirectory, journal, item);
  if (staged === null) {
    if (blocked) await drop(target);
    return;
  }
  if ((await identify(staged)) === null) {
    if (!blocked) return;
    throw cannot('RECOVERY_FAILED', 'put in place', target, `"${staged}" is gone`, {
      hint: `The original is at "${members[0]!.held}".`,
    });
  }
  for (const member of blocked ? members.slice(1) : members) {
    if ((await identify(member.path)) !== null) {
      await displace(stateDirectory, journal, item, member);
    }
  }
  await moveIn(staged, target);
}

async function applyMetadata(directory: SwapDirectory, activity: Activity): Promise<void> {
  const { path, owner, mode, mtimeNs } = directory;
  try {
    await withDirectory(path, async (handle) => {
      if (owner !== null) await handle.chown(owner.uid, owner.gid);
      await handle.chmod(mode);
      if (mtimeNs !== null) {
        const mtime = utimeSeconds(mtimeNs);
        await handle.utimes(mtime, mtime);
      }
    });
    await syncDirectory(path);
  } catch (error) {
    const code = systemCode(error);
    // The directory belongs to somebody else, or is gone again: its content is what matters.
    if (code !== 'EPERM' && code !== 'EACCES' && code !== 'ENOENT') throw error;
    activity.warn(`The mode and time of "${path}" could not be set: ${code}`);
  }
}

/** Deepest first, since setting a mode may close the way, and touching a child changes no parent's time. */
async function applyAllMetadata(
  directories: readonly SwapDirectory[],
  activity: Activity,
): Promise<void> {
  const byDepth = new Map<number, SwapDirectory[]>();
  for (const directory of directories) {
    const depth = directory.path.split('/').length;
    const level = byDepth.get(depth);
    if (level === undefined) byDepth.set(depth, [directory]);
    else level.push(directory);
  }
  for (const depth of [...byDepth.keys()].sort((left, right) => right - left)) {
    // None of them lies in another.
    const work = new ParallelWork(DIRECTORIES_AT_ONCE);
    try {
      for (const each of byDepth.get(depth)!) await work.add(() => applyMetadata(each, activity));
    } finally {
      await work.idle();
    }
    await work.settle();
  }
}

/**
 * Everything after the commit record; may be repeated. Returns true when the quarantine holds something.
 * Databases come into view one by one, each whole and without sidecars.
 */
export async function finishSwap(
  stateDirectory: string,
  journal: SwapJournal,
  activity: Activity,
): Promise<boolean> {
  const blocked = journal.items.filter(({ blocker }) => blocker !== null);
  for (const item of blocked) {
    await unblock(stateDirectory, journal, item);
    // A crash may have left the blocker where it was made.
    await removeDurably(item.blocker!);
  }
  await syncParents(journal.items.map(({ target }) => target));
  await applyAllMetadata(journal.directories, activity);
  const record = await quarantineRecordOf(stateDirectory, journal);
  if (record !== null) await writeQuarantineRecord(stateDirectory, record);
  for (const path of journal.holdDirectories) await rm(path, { recursive: true, force: true });
  await removeJournal(stateDirectory, journal.id);
  return record !== null;
}
