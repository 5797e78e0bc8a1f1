import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { type EntryIdentity, identify, utimeSeconds } from '../files/entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../files/family-members.ts';
import type { Activity } from '../kernel/activity.ts';
import { isDatabaseHeader } from '../sqlite/header.ts';
import type { Content } from '../store/chunks/content.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { OverwritePolicy } from './restore-request.ts';
import { hasSameMetadata } from './restored-metadata.ts';

/** True when the file begins as a database does. The caller holds no SQLite connection on it. */
export async function looksLikeDatabase(path: string): Promise<boolean> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
    return bytesRead === 16 && isDatabaseHeader(buffer);
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, buffer: Buffer, offset: number): Promise<boolean> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, offset + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** Reads the file against the snapshot, chunk by chunk, up to the first difference. */
async function hasContent(
  path: string,
  content: Content,
  reader: StoreReader,
  activity: Activity,
): Promise<boolean> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let offset = 0;
    for await (const chunk of reader.readContent(content)) {
      activity.signal.throwIfAborted();
      const found = Buffer.allocUnsafe(chunk.length);
      if (!(await readExactly(handle, found, offset)) || !found.equals(chunk)) return false;
      offset += chunk.length;
    }
    return (await handle.stat()).size === offset;
  } finally {
    await handle.close();
  }
}

/** Bytes waiting in a WAL or a rollback journal: the main file alone is not the database's state. */
async function hasPendingSidecar(path: string): Promise<boolean> {
  for (const suffix of SIDECAR_SUFFIXES) {
    if (suffix === '-shm') continue;
    const sidecar = await identify(`${path}${suffix}`);
    if (sidecar !== null && sidecar.bytes > 0) return true;
  }
  return false;
}

/** Times compare in microseconds: finer digits are lost when a time is set. */
const sameTime = (left: string, right: string): boolean =>
  utimeSeconds(left) === utimeSeconds(right);

/**
 * True when what stands at `target` is what the snapshot holds, metadata aside. A file is read, unless
 * `trustTimes` and its size and time say that it need not be; a database is always read.
 */
export async function isSameContent(
  entry: TreeEntry,
  target: string,
  now: EntryIdentity,
  trustTimes: boolean,
  reader: StoreReader,
  activity: Activity,
): Promise<boolean> {
  if (entry.type === 'symlink') {
    return now.kind === 'symlink' && (await readlink(target)) === entry.target;
  }
  if (entry.type === 'directory') return now.kind === 'directory';
  if (now.kind !== 'file' || now.bytes !== entry.content.bytes) return false;
  if (entry.type === 'database') {
    return (
      !(await hasPendingSidecar(target)) && hasContent(target, entry.content, reader, activity)
    );
  }
  if (trustTimes && sameTime(now.mtimeNs, entry.mtimeNs)) return true;
  return hasContent(target, entry.content, reader, activity);
}

/** When a database was last written to, its WAL included. Nanoseconds since the epoch. */
export async function newestWriteNs(target: string, now: EntryIdentity): Promise<bigint> {
  let newest = BigInt(now.mtimeNs);
  for (const suffix of SIDECAR_SUFFIXES) {
    const sidecar = suffix === '-shm' ? null : await identify(`${target}${suffix}`);
    if (sidecar !== null && sidecar.bytes > 0 && BigInt(sidecar.mtimeNs) > newest) {
      newest = BigInt(sidecar.mtimeNs);
    }
  }
  return newest;
}

export interface Decision {
  readonly action: 'overwrite' | 'skip' | 'unchanged';
  readonly reason?: string;
}

export interface DecisionRules {
  readonly overwrite: OverwritePolicy;
  /** Owners are restored, and so compared. */
  readonly owners: boolean;
  /** For a later swap: what is equal now may not be then. */
  readonly stageAll: boolean;
  readonly reader: StoreReader;
  readonly activity: Activity;
}

/** What the policy does with a file, symlink or database at whose name something other than a directory stands. */
export async function decide(
  { overwrite: policy, owners, stageAll, reader, activity }: DecisionRules,
  entry: TreeEntry,
  target: string,
  now: EntryIdentity,
): Promise<Decision> {
  if (policy === 'never') return { action: 'skip', reason: 'exists' };
  if (stageAll) return { action: 'overwrite' };
  const writtenNs =
    entry.type === 'database' ? await newestWriteNs(target, now) : BigInt(now.mtimeNs);
  if (policy === 'if-newer' && BigInt(entry.mtimeNs) <= writtenNs) {
    return { action: 'skip', reason: 'target is as new, or newer' };
  }
  const trustTimes = policy === 'if-changed';
  if (!(await isSameContent(entry, target, now, trustTimes, reader, activity))) {
    return { action: 'overwrite' };
  }
  if (await hasSameMetadata(entry, target, owners)) return { action: 'unchanged' };
  return { action: 'overwrite', reason: 'mode or owner differs' };
}
