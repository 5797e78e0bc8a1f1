import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, removeDurably, writeFileDurably } from '../files/durable.ts';
import { identify } from '../files/entry-identity.ts';
import { removeStaging } from '../files/staging.ts';
import type { SwapDirectory } from '../files/swap/swap.ts';
import { cannot, type ErrorDocument, messageOf, systemCode } from '../kernel/errors.ts';
import type { RootClass } from '../store/manifests/manifest.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { MirroredDirectory, OverwritePolicy } from './restore-request.ts';

/**
 * Restores that wait for their target to be free, extracted and checked:
 *   <state>/pending-restores/<id>.json      the record; while it exists its staging directories are kept
 *   <state>/pending-restores/<id>.applied   put there by the very swap that installs it: the restore took place
 * Nothing in a protected directory ever counts as such a record.
 */
export interface PendingItem {
  readonly target: string;
  readonly staged: string;
  readonly logicalPath: string;
  readonly type: TreeEntry['type'];
  readonly family: boolean;
}

export interface PendingRestore {
  readonly id: string;
  readonly snapshotId: string;
  readonly sourceId: string;
  /** As asked for, for whoever reads the list. */
  readonly paths: readonly string[];
  readonly classes: readonly RootClass[];
  readonly mode: 'merge' | 'mirror';
  readonly overwrite: OverwritePolicy;
  readonly checkpoint: boolean;
  /** `boot`: at the daemon's next start, or by hand. `free`: as soon as nobody has its databases open. */
  readonly applyWhen: 'boot' | 'free';
  /** ISO UTC. */
  readonly stagedAt: string;
  readonly stagedBy: string | null;
  readonly bytes: number;
  readonly state: 'staged' | 'applying' | 'failed';
  readonly attempts: number;
  readonly lastError: ErrorDocument | null;
  /** Real directories that hold everything it writes. */
  readonly targetRoots: readonly string[];
  readonly stagingDirectories: readonly string[];
  readonly items: readonly PendingItem[];
  readonly directories: readonly SwapDirectory[];
  /** For a mirror: what the snapshot had. */
  readonly mirrored: readonly MirroredDirectory[];
  readonly skipped: readonly string[];
  /** Logical paths of databases that were checked when they were staged. */
  readonly checked: readonly string[];
}

/** After so many failures it waits for a person; what makes a target busy is none. */
export const APPLY_ATTEMPTS_MAX = 2;

const ID = /^[0-9a-f-]{8,64}$/;
const home = (stateDirectory: string): string => join(stateDirectory, 'pending-restores');

export function pendingPath(stateDirectory: string, id: string): string {
  if (!ID.test(id)) throw cannot('NOT_FOUND', 'find staged restore', id, 'this is no id of one');
  return join(home(stateDirectory), `${id}.json`);
}

/** Its presence says that the restore took place. */
export const appliedMarkPath = (stateDirectory: string, id: string): string =>
  join(home(stateDirectory), `${id}.applied`);

export async function writePending(stateDirectory: string, pending: PendingRestore): Promise<void> {
  await makeDirectory(home(stateDirectory));
  await writeFileDurably(pendingPath(stateDirectory, pending.id), JSON.stringify(pending));
}

/** @throws NOT_FOUND; IO_ERROR for a record that cannot be read */
export async function readPending(stateDirectory: string, id: string): Promise<PendingRestore> {
  const path = pendingPath(stateDirectory, id);
  try {
    return JSON.parse(await readFile(path, 'utf8')) as PendingRestore;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      throw cannot('NOT_FOUND', 'find staged restore', id, 'none has this id', {
        hint: 'See: holdfast restore pending.',
      });
    }
    throw cannot('IO_ERROR', 'read staged restore', path, messageOf(error), { cause: error });
  }
}

/** Everything that waits, oldest first. Those whose swap took place are not among them. */
export async function listPending(stateDirectory: string): Promise<PendingRestore[]> {
  const names = await readdir(home(stateDirectory)).catch((error: unknown): string[] => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  const found: PendingRestore[] = [];
  for (const id of ids.filter((each) => ID.test(each)).sort()) {
    if (!names.includes(`${id}.applied`)) found.push(await readPending(stateDirectory, id));
  }
  return found;
}

/** Forgets a staged restore with everything that was staged; the record goes first. @throws NOT_FOUND */
export async function removePending(stateDirectory: string, id: string): Promise<void> {
  const { stagingDirectories } = await readPending(stateDirectory, id);
  await removeDurably(pendingPath(stateDirectory, id));
  for (const directory of stagingDirectories) await removeStaging(directory, stateDirectory);
  await removeDurably(`${appliedMarkPath(stateDirectory, id)}.staged`);
  await removeDurably(appliedMarkPath(stateDirectory, id));
}

/** Cleans up after restores whose swap took place just before a crash. Returns their ids. */
export async function forgetApplied(stateDirectory: string): Promise<string[]> {
  const names = await readdir(home(stateDirectory)).catch(() => []);
  const ids = names.filter((name) => name.endsWith('.applied')).map((name) => name.slice(0, -8));
  for (const id of ids) {
    if ((await identify(pendingPath(stateDirectory, id))) === null) {
      await removeDurably(appliedMarkPath(stateDirectory, id));
    } else await removePending(stateDirectory, id);
  }
  return ids;
}
