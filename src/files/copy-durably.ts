import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lchown,
  lstat,
  lutimes,
  open,
  readdir,
  readlink,
  symlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import { makeDirectory, syncDirectory, syncFile } from './durable.ts';
import { durableStep } from './durable-steps.ts';
import { utimeSeconds } from './entry-identity.ts';
import { writeAll } from './write-all.ts';

const COPY_BUFFER_BYTES = 1024 * 1024;

export interface CopiedEntry {
  readonly bytes: number;
  /** Lower-case hex: of a file's content, a symlink's target, or a directory's listing of names and hashes. */
  readonly sha256: string;
}

async function copyBytes(
  from: FileHandle,
  to: FileHandle,
  path: string,
  activity: Activity,
): Promise<CopiedEntry> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(COPY_BUFFER_BYTES);
  let bytes = 0;
  for (;;) {
    activity.signal.throwIfAborted();
    const { bytesRead } = await from.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    const block = buffer.subarray(0, bytesRead);
    hash.update(block);
    await durableStep('write', path, () => writeAll(to, block, bytes));
    bytes += bytesRead;
  }
}

async function copyFile(from: string, to: string, activity: Activity): Promise<CopiedEntry> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const status = await source.stat({ bigint: true });
    const target = await open(to, 'wx', 0o600);
    try {
      const copied = await copyBytes(source, target, to, activity);
      await keepOwner(to, Number(status.uid), Number(status.gid));
      await target.chmod(Number(status.mode) & 0o7777);
      const mtime = utimeSeconds(String(status.mtimeNs));
      await target.utimes(mtime, mtime);
      await syncFile(target, to);
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Only root may give files away; a copy made by anyone else belongs to whoever copied. */
async function keepOwner(path: string, uid: number, gid: number): Promise<void> {
  if (process.getuid?.() === 0) await lchown(path, uid, gid);
}

async function copySymlink(from: string, to: string): Promise<CopiedEntry> {
  const status = await lstat(from, { bigint: true });
  const target = await readlink(from);
  await durableStep('symlink', to, () => symlink(target, to));
  await keepOwner(to, Number(status.uid), Number(status.gid));
  const mtime = utimeSeconds(String(status.mtimeNs));
  await lutimes(to, mtime, mtime);
  return {
    bytes: Buffer.byteLength(target),
    sha256: createHash('sha256').update(target).digest('hex'),
  };
}

async function copyDirectory(from: string, to: string, activity: Activity): Promise<CopiedEntry> {
  const status = await lstat(from, { bigint: true });
  await makeDirectory(to, 0o700);
  const hash = createHash('sha256');
  let bytes = 0;
  for (const name of (await readdir(from)).sort()) {
    const copied = await copyInto(join(from, name), join(to, name), activity);
    hash.update(`${name}\0${copied.sha256}\n`);
    bytes += copied.bytes;
  }
  await keepOwner(to, Number(status.uid), Number(status.gid));
  await chmod(to, Number(status.mode) & 0o7777);
  const mtime = utimeSeconds(String(status.mtimeNs));
  await lutimes(to, mtime, mtime);
  await syncDirectory(to);
  return { bytes, sha256: hash.digest('hex') };
}

async function copyInto(from: string, to: string, activity: Activity): Promise<CopiedEntry> {
  activity.signal.throwIfAborted();
  const status = await lstat(from);
  if (status.isFile()) return copyFile(from, to, activity);
  if (status.isSymbolicLink()) return copySymlink(from, to);
  if (status.isDirectory()) return copyDirectory(from, to, activity);
  throw cannot('PATH_UNSAFE', 'copy', from, 'it is a device, a pipe or a socket');
}

/**
 * Copies a file, a symlink or a whole directory to a name that does not exist yet: content, mode, time, and the
 * owner where run as root. When it returns, the copy survives a power cut.
 * @throws PATH_UNSAFE for special files; EEXIST
 */
export async function copyDurably(
  from: string,
  to: string,
  activity: Activity,
): Promise<CopiedEntry> {
  const copied = await copyInto(from, to, activity);
  await syncDirectory(dirname(to));
  return copied;
}
