import { existsSync } from 'node:fs';
import { opendir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../kernel/errors.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** Values of `f_type` (statfs(2)) of file systems whose locks or change events cannot be relied on. */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x517b, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
]);

/** Name of a network or user-space file system by its `f_type`, or null. */
export const networkFileSystem = (type: number): string | null =>
  // 32 bits: some platforms report them signed.
  NETWORK_TYPES.get(type >>> 0) ?? null;

const FREE_SHARE_MIN = 0.05;
const FREE_BYTES_MIN = 1024 ** 3;

/** The directory itself, or the nearest one above it that exists. */
function existing(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

export interface StoragePlace {
  /** What it is for, as people call it: `repository`. */
  readonly role: string;
  readonly path: string;
  readonly holdsDatabases: boolean;
}

export async function examineSpace({ role, path }: StoragePlace): Promise<Finding> {
  try {
    const { bavail, blocks, bsize } = await statfs(existing(path));
    const free = bavail * bsize;
    const total = blocks * bsize;
    const message = `${role} ${path}: ${formatBytes(free)} of ${formatBytes(total)} free`;
    // A full copy of a small disk's data would not fit either way: the share matters only on small ones.
    return free < Math.min(total * FREE_SHARE_MIN, FREE_BYTES_MIN)
      ? warning('space', message, 'Free some space, or move the repository to a larger disk.')
      : ok('space', message);
  } catch (error) {
    return warning('space', `${role} ${path}: ${messageOf(error)}`, 'Run this as the daemon does.');
  }
}

export async function examineFileSystem({
  role,
  path,
  holdsDatabases,
}: StoragePlace): Promise<Finding> {
  if (!existsSync(path)) {
    return holdsDatabases
      ? warning('file-system', `${role} ${path} does not exist`, 'Create it, or correct the path.')
      : ok('file-system', `${role} ${path} does not exist yet`);
  }
  const name = networkFileSystem((await statfs(path)).type);
  if (name === null) return ok('file-system', `${role} ${path} is on a local file system`);
  const hint = holdsDatabases
    ? 'SQLite needs locks and shared memory that work: move the databases to a local disk, and let Holdfast poll.'
    : 'Keep it where fsync and locks can be relied on.';
  return warning('file-system', `${role} ${path} is on ${name}`, hint);
}

/** What we keep holds everything that the application knows: it is for nobody else to read. */
export async function examinePrivacy(role: string, path: string): Promise<Finding> {
  if (!existsSync(path)) return ok('privacy', `${role} ${path} does not exist yet`);
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return ok('privacy', `${role} ${path} is open to its owner alone`);
  const octal = (mode & 0o777).toString(8);
  const message = `${role} ${path} is open to others (mode ${octal})`;
  return warning('privacy', message, `Run: chmod 700 ${path}`);
}

const DIRECTORIES_COUNTED_MAX = 100_000;
/** Of the limit, before it is a warning: other programs of this user watch as well. */
const WATCH_SHARE_MAX = 0.5;

/** Directories below `path`, itself included, symlinks not followed; counting stops at `max`. */
export async function countDirectories(path: string, max: number): Promise<number> {
  const pending = [path];
  let count = 0;
  while (pending.length > 0 && count < max) {
    const directory = pending.pop()!;
    try {
      for await (const entry of await opendir(directory)) {
        if (entry.isDirectory()) pending.push(join(directory, entry.name));
      }
      count += 1;
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
    }
  }
  return count;
}

/** inotify(7): one watch per directory. */
export async function examineWatchLimit(roots: readonly string[]): Promise<Finding> {
  let limit: number;
  try {
    limit = Number(await readFile('/proc/sys/fs/inotify/max_user_watches', 'utf8'));
  } catch {
    return ok('watches', 'this platform has no limit of watches to read');
  }
  let directories = 0;
  for (const root of roots) {
    directories += await countDirectories(root, DIRECTORIES_COUNTED_MAX - directories);
  }
  const message = `${directories} directories to watch, limit ${limit}`;
  if (directories <= limit * WATCH_SHARE_MAX) return ok('watches', message);
  const hint = 'Raise fs.inotify.max_user_watches with sysctl, or exclude directories.';
  return directories > limit
    ? failure('watches', message, hint)
    : warning('watches', message, hint);
}
