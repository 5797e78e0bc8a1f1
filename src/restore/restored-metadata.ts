import { lstat } from 'node:fs/promises';
import type { TreeEntry } from '../store/trees/tree-entry.ts';

/**
 * Ownership comes back only where the files came from, and only root may give it away; in any other directory
 * everything belongs to whoever asked for it.
 */
export const restoresOwners = (target: { readonly type: string }): boolean =>
  target.type === 'in-place' && process.getuid?.() === 0;

/** Mode that a restored entry gets: never setuid, setgid or sticky. */
export const restoredMode = (entry: TreeEntry): number => entry.mode & 0o777;

/** True when mode and, where it counts, owner need no change. A symlink has no mode of its own. */
export async function hasSameMetadata(
  entry: TreeEntry,
  target: string,
  owners: boolean,
): Promise<boolean> {
  const { mode, uid, gid } = await lstat(target);
  if (entry.type !== 'symlink' && (mode & 0o7777) !== restoredMode(entry)) return false;
  return !owners || (uid === entry.uid && gid === entry.gid);
}

/** Mode, owner and time of a restored entry. */
export function metadataOf(
  entry: TreeEntry,
  owners: boolean,
): {
  mode: number;
  owner: { uid: number; gid: number } | null;
  mtimeNs: string;
} {
  return {
    mode: restoredMode(entry),
    owner: owners ? { uid: entry.uid, gid: entry.gid } : null,
    mtimeNs: entry.mtimeNs,
  };
}
