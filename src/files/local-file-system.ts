import { statfs } from 'node:fs/promises';

/** Types of Linux file systems, from statfs(2), whose answers come from this machine alone. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlay
]);

/** True where looking at a file is known not to wait for a network. */
export async function isLocalFileSystem(path: string): Promise<boolean> {
  try {
    const { type } = await statfs(path);
    return LOCAL_TYPES.has(type >>> 0);
  } catch {
    return false;
  }
}
