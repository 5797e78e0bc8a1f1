import { link, readlink, rename, rm, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { quietActivity } from '../../kernel/activity.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { copyDurably } from '../copy-durably.ts';
import { makeDirectory, syncDirectory } from '../durable.ts';
import { durableStep } from '../durable-steps.ts';
import { identify, sameEntry, unchangedEntry } from '../entry-identity.ts';
import { inOwnDirectory } from '../opened-place.ts';
import { quarantinePath } from '../quarantine/quarantine.ts';
import { blockerTarget, type JournalItem, type SwapJournal, type SwapMember } from './journal.ts';

/** The single moves a swap is made of. None opens a file: that could drop the locks held on a database. */

/** Where a copy of a member stands, or stood to be, in quarantine. */
export function storedPath(item: JournalItem, member: SwapMember): string {
  return `${item.group}/${basename(member.path)}`;
}

/** From a place of our own to where somebody else may exchange directories. */
export async function moveIn(from: string, to: string): Promise<void> {
  await inOwnDirectory(to, (place) => durableStep('rename', to, () => rename(from, place)));
}

/**
 * And back. Durable where it went to before anything else takes its name: of two renames the later one alone may be
 * found after a power cut, and of one between directories the new name and the end of the old one.
 */
export async function moveOut(from: string, to: string): Promise<void> {
  await inOwnDirectory(from, (place) => durableStep('rename', to, () => rename(place, to)));
  await syncDirectory(dirname(to));
}

/** Removes a name where somebody else may exchange directories. */
export async function drop(path: string): Promise<void> {
  await inOwnDirectory(path, (place) => durableStep('unlink', path, () => unlink(place)));
}

/** Removes a name in a place of our own. */
export async function dropHeld(path: string): Promise<void> {
  await durableStep('unlink', path, () => unlink(path));
}

/** Makes every distinct parent of `paths` durable. */
export async function syncParents(paths: Iterable<string>): Promise<void> {
  for (const parent of new Set([...paths].map((path) => dirname(path)))) {
    await syncDirectory(parent);
  }
}

/** File systems without hard links, and protected_hardlinks (proc(5)) for files of other users. */
const NO_LINK_CODES = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EACCES', 'ENOSYS']);

/**
 * Gives the original a second name at `held`, so that it can be replaced in one step. What cannot have one
 * (directories, symlinks) keeps a single name, and is moved there later.
 */
export async function holdByLink(member: SwapMember): Promise<void> {
  if (member.before?.kind !== 'file') return;
  try {
    await inOwnDirectory(member.path, (place) =>
      durableStep('link', member.held, () => link(place, member.held)),
    );
  } catch (error) {
    if (!NO_LINK_CODES.has(systemCode(error) ?? '')) throw error;
  }
}

/** Takes the original's name away once it is held. */
export async function takeAway(member: SwapMember): Promise<void> {
  if ((await identify(member.held)) === null) await moveOut(member.path, member.held);
  else await drop(member.path);
}

/** Makes room for a rename onto the name: an original that has no second name yet is moved to `held`. */
export async function vacate(member: SwapMember): Promise<void> {
  if (member.before !== null && (await identify(member.held)) === null) {
    await moveOut(member.path, member.held);
  }
}

/** @throws TARGET_BUSY when something else stands there than when the swap began */
export async function requireUnchanged(member: SwapMember): Promise<void> {
  const now = await identify(member.path);
  const { before } = member;
  // A directory may change inside, and -shm with every reader: neither carries what could get lost.
  const isLoose = before?.kind === 'directory' || member.path.endsWith('-shm');
  if (isLoose ? sameEntry(now, before) : unchangedEntry(now, before)) return;
  throw cannot('TARGET_BUSY', 'swap', member.path, 'it changed while it was being replaced', {
    hint: 'Stop the application and try again.',
    retryable: true,
  });
}

/** Puts a symlink to nowhere at a database's name: an application that starts now fails to open it, and harms nothing. */
export async function block(
  stateDirectory: string,
  journal: SwapJournal,
  item: JournalItem,
): Promise<void> {
  const { blocker, members } = item;
  if (blocker === null) return;
  const nowhere = blockerTarget(stateDirectory, journal.id, journal.items.indexOf(item));
  await durableStep('symlink', blocker, () => symlink(nowhere, blocker));
  await vacate(members[0]!);
  await moveIn(blocker, item.target);
}

/** True when this swap's own blocker stands at the item's name. */
export async function isBlocked(
  stateDirectory: string,
  journal: SwapJournal,
  item: JournalItem,
): Promise<boolean> {
  if (item.blocker === null) return false;
  const found = await readlink(item.target).catch(() => null);
  return found === blockerTarget(stateDirectory, journal.id, journal.items.indexOf(item));
}

/** Folder in a swap's quarantine for what was found where nothing of the kind had been left. */
export const DISPLACED_FOLDER = 'displaced';

/** Moves something that is neither the original nor ours into quarantine, whatever the file system. */
export async function displace(
  stateDirectory: string,
  journal: SwapJournal,
  item: JournalItem,
  member: SwapMember,
): Promise<void> {
  const folder = join(quarantinePath(stateDirectory, journal.id), DISPLACED_FOLDER);
  await makeDirectory(folder);
  const place = await freeName(
    join(folder, `${journal.items.indexOf(item)}-${item.members.indexOf(member)}`),
  );
  try {
    // What is held is in a place of our own already.
    if (member.path === member.held) {
      await durableStep('rename', place, () => rename(member.path, place));
    } else await moveOut(member.path, place);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await copyDurably(member.path, place, quietActivity());
    await rm(member.path, { recursive: true });
  }
  await syncParents([place, member.path]);
}

const DISPLACED_PER_NAME_MAX = 100;

/** `path`, or `path-2`, `path-3` …: an undoing that is interrupted may find something again. */
async function freeName(path: string): Promise<string> {
  for (let count = 1; count <= DISPLACED_PER_NAME_MAX; count++) {
    const name = count === 1 ? path : `${path}-${count}`;
    if ((await identify(name)) === null) return name;
  }
  throw cannot('LIMIT_EXCEEDED', 'set aside what stands at', path, 'it was tried too often');
}
