import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { makeDirectory, removeDurably, syncDirectory, writeFileDurably } from '../durable.ts';
import type { EntryIdentity } from '../entry-identity.ts';

/**
 * What a swap is about to do, durable before its first change:
 *   <state>/swaps/<id>/journal.json   everything needed to undo or finish it
 *   <state>/swaps/<id>/commit         its presence is the commit record
 * The journal goes first at the end: a folder without one has nothing left to do.
 */
export const SWAP_JOURNAL_FORMAT = 1;

/** One name that belongs to an item: the target itself, or a sidecar of a database. */
export interface SwapMember {
  /** Absolute. */
  readonly path: string;
  /** What stood there before the swap. */
  readonly before: EntryIdentity | null;
  /** Where the original is kept during the swap: a second link, or the moved original, on the same mount. */
  readonly held: string;
  /** The durable copy in quarantine, made where `held` is on another file system than the quarantine. */
  readonly copy?: { readonly bytes: number; readonly sha256: string };
}

export interface JournalItem {
  readonly target: string;
  readonly staged: string | null;
  /** Tells what was staged from anything else, wherever it stands; null without `staged`. */
  readonly stagedInode: string | null;
  readonly family: boolean;
  /** Group folder in the quarantine: one per directory the originals came from. */
  readonly group: number;
  /** Absolute; `members[0]` is the target itself. */
  readonly members: readonly SwapMember[];
  /** A dangling symlink that stands at a database's name while its family is incomplete; null: none is used. */
  readonly blocker: string | null;
}

/** Metadata that a directory gets after the swap. */
export interface SwapDirectory {
  readonly path: string;
  readonly mode: number;
  /** Set only where ownership is to be restored. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** Nanoseconds since the epoch, decimal; null: as it comes. */
  readonly mtimeNs: string | null;
}

export interface SwapJournal {
  readonly id: string;
  readonly reason: 'restore' | 'recovery';
  readonly jobId: string | null;
  readonly sourceId: string | null;
  readonly note: string;
  /** ISO UTC. */
  readonly startedAt: string;
  /** A single rename is its own commit record: it is done when nothing is staged any more. */
  readonly single: boolean;
  readonly items: readonly JournalItem[];
  /** Missing parents that the swap makes, topmost first. */
  readonly createdDirectories: readonly string[];
  /** Existing directories whose entries change, and their time before. */
  readonly touchedDirectories: readonly { readonly path: string; readonly mtimeNs: string }[];
  readonly directories: readonly SwapDirectory[];
  /** Folders outside the quarantine that hold originals, one per file system. */
  readonly holdDirectories: readonly string[];
}

export const swapsHome = (stateDirectory: string): string => join(stateDirectory, 'swaps');
export const setAsideHome = (stateDirectory: string): string =>
  join(stateDirectory, 'swaps-set-aside');

const swapPath = (stateDirectory: string, id: string): string =>
  join(swapsHome(stateDirectory), id);
const journalPath = (stateDirectory: string, id: string): string =>
  join(swapPath(stateDirectory, id), 'journal.json');
const commitPath = (stateDirectory: string, id: string): string =>
  join(swapPath(stateDirectory, id), 'commit');

/** Where a blocker points: nothing ever exists there, and the path says why. */
export const blockerTarget = (stateDirectory: string, id: string, index: number): string =>
  join(swapPath(stateDirectory, id), 'in-progress', String(index));

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex');

export async function writeJournal(stateDirectory: string, journal: SwapJournal): Promise<void> {
  await makeDirectory(swapPath(stateDirectory, journal.id));
  const swap = JSON.stringify(journal);
  const document = JSON.stringify({ format: SWAP_JOURNAL_FORMAT, sha256: checksum(swap), swap });
  await writeFileDurably(journalPath(stateDirectory, journal.id), document);
}

export async function writeCommit(stateDirectory: string, id: string): Promise<void> {
  await writeFileDurably(commitPath(stateDirectory, id), 'committed\n');
}

/** Takes the commit record back, so that the swap can be undone. */
export async function withdrawCommit(stateDirectory: string, id: string): Promise<void> {
  await removeDurably(commitPath(stateDirectory, id));
}

export async function isCommitted(stateDirectory: string, id: string): Promise<boolean> {
  const names = await readdir(swapPath(stateDirectory, id));
  return names.includes('commit');
}

/** Forgets a swap that is finished or undone. */
export async function removeJournal(stateDirectory: string, id: string): Promise<void> {
  await removeDurably(journalPath(stateDirectory, id));
  await rm(swapPath(stateDirectory, id), { recursive: true, force: true });
}

async function listNames(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Ids of swaps that were begun, oldest first. */
export async function listSwaps(stateDirectory: string): Promise<string[]> {
  return (await listNames(swapsHome(stateDirectory))).sort();
}

/** True while a journal waits to be finished, or was set aside: what is staged may still be needed. */
export async function hasUnfinishedSwaps(stateDirectory: string): Promise<boolean> {
  if ((await listNames(setAsideHome(stateDirectory))).length > 0) return true;
  return hasBegunSwaps(stateDirectory);
}

/** True while a journal waits to be finished: what it names may be half replaced. */
export async function hasBegunSwaps(stateDirectory: string): Promise<boolean> {
  for (const id of await listSwaps(stateDirectory)) {
    if ((await readdir(swapPath(stateDirectory, id))).includes('journal.json')) return true;
  }
  return false;
}

function damaged(path: string, state: string, cause?: unknown): Error {
  return cannot('RECOVERY_FAILED', 'read swap journal', path, state, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The journal of a begun swap; null when it never got one, or is past its end.
 * @throws UNSUPPORTED_FORMAT, RECOVERY_FAILED when it is damaged
 */
export async function readJournal(stateDirectory: string, id: string): Promise<SwapJournal | null> {
  const path = journalPath(stateDirectory, id);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  let document: { format?: unknown; sha256?: unknown; swap?: unknown } | null;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw damaged(path, `it is not JSON: ${messageOf(error)}`, error);
  }
  if (typeof document?.format !== 'number') throw damaged(path, 'it has no format number');
  if (document.format !== SWAP_JOURNAL_FORMAT) {
    throw cannot('UNSUPPORTED_FORMAT', 'read swap journal', path, `format ${document.format}`);
  }
  const { swap } = document;
  if (typeof swap !== 'string' || checksum(swap) !== document.sha256) {
    throw damaged(path, 'its checksum does not match');
  }
  const journal = JSON.parse(swap) as SwapJournal;
  if (journal.id !== id) throw damaged(path, `it belongs to swap ${journal.id}`);
  return journal;
}

/** Moves a journal that cannot be followed out of the way, everything it names untouched. Returns its new place. */
export async function setJournalAside(stateDirectory: string, id: string): Promise<string> {
  const home = setAsideHome(stateDirectory);
  await makeDirectory(home);
  const place = join(home, id);
  await rename(swapPath(stateDirectory, id), place);
  await syncDirectory(home);
  await syncDirectory(swapsHome(stateDirectory));
  return place;
}
