import { statfs } from 'node:fs/promises';

/**
 * File systems whose changes may be made elsewhere, so that this kernel has no events of them, by the magic number
 * of statfs(2) (linux/magic.h and the file systems' own headers).
 */
const WITHOUT_EVENTS = new Map<number, string>([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'VirtualBox shared folders'],
  [0xbacbacbc, 'VMware shared folders'],
]);

/** The name of a file system that reports no events, by its magic number; null if it does. */
export function eventlessName(magic: number): string | null {
  // statfs reports the number signed on some platforms.
  return WITHOUT_EVENTS.get(magic >>> 0) ?? null;
}

/** Why file system events cannot be relied on below `path`, or null. Magic numbers mean something on Linux alone. */
export async function eventlessReason(path: string): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  const name = eventlessName((await statfs(path)).type);
  return name === null ? null : `"${path}" is on ${name}, which reports no changes made elsewhere`;
}
