import { lstat } from 'node:fs/promises';
import type { TreeEntry } from '../store/trees/tree-entry.ts';

/** Only root may give ownership away, so only then does it count. */
export const restoresOwners = (): boolean => process.getuid?.() === 0;

/** Mode that a restored entry gets: never setuid, setgid or sticky. */
export const restoredMode = (entry: TreeEntry): number => entry.mode & 0o777;

/** True when mode and (as root) owner need no change. A symlink has no mode of its own. */
export async function hasSameMetadata(entry: TreeEntry, target: string): Promise<boolean> {
  const { mode, uid, gid } = await lstat(target);
  if (entry.type !== 'symlink' && (mode & 0o7777) !== restoredMode(entry)) return false;
  return !restoresOwners() || (uid === entry.uid && gid === entry.gid);
}

/** Mode, owner and time of a restored entry. */
export function metadataOf(entry: TreeEntry): {
  mode: number;
  owner: { uid: number; gid: number } | null;
  mtimeNs: string;
} {
  return {
    mode: restoredMode(entry),
    owner: restoresOwners() ? { uid: entry.uid, gid: entry.gid } : null,
    mtimeNs: entry.mtimeNs,
  };
}
