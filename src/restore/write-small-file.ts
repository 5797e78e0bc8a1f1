import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  openSync,
  writeSync,
} from 'node:fs';
import { utimeSeconds } from '../files/entry-identity.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import type { Content } from '../store/chunks/content.ts';
import type { StoreReader } from '../store/store.ts';
import type { FileEntry } from '../store/trees/tree-entry.ts';
import { metadataOf } from './restored-metadata.ts';

/** Content of at most one chunk. */
export const isSmall = ({ depth, ids }: Content): boolean => depth === 0 && ids.length <= 1;

/**
 * Writes a file of one chunk, with its mode, owner and time. The system calls only reach the page cache and are made
 * at once, since handing each to a thread costs more than making it.
 * @returns the open file, for the caller to sync and close
 * @throws VERIFY_FAILED, REPO_CORRUPT, PATH_UNSAFE, system errors of the target
 */
export async function writeSmallFile(
  path: string,
  entry: FileEntry,
  reader: StoreReader,
  owners: boolean,
): Promise<number> {
  const plain = await readWhole(reader, entry);
  const descriptor = createFile(path);
  try {
    for (let at = 0; at < plain.length; ) at += writeSync(descriptor, plain, at, plain.length - at);
    const { size } = fstatSync(descriptor);
    if (size !== entry.content.bytes) throw wrongSize(entry, size);
    const { mode, owner, mtimeNs } = metadataOf(entry, owners);
    // The owner comes first, since changing it may clear mode bits.
    if (owner !== null) fchownSync(descriptor, owner.uid, owner.gid);
    fchmodSync(descriptor, mode);
    const mtime = utimeSeconds(mtimeNs);
    futimesSync(descriptor, mtime, mtime);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

async function readWhole(reader: StoreReader, entry: FileEntry): Promise<Buffer> {
  const { ids, bytes } = entry.content;
  const plain = ids[0] === undefined ? Buffer.alloc(0) : await reader.readChunk(ids[0]);
  if (plain.length === bytes) return plain;
  const state = `its chunks do not add up to ${bytes} bytes`;
  throw cannot('REPO_CORRUPT', 'restore', entry.name, state);
}

/** A name that exists already is the same name to this file system: two entries that differ in case, say. */
function createFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw cannot('PATH_UNSAFE', 'restore', path, 'the file system takes two names for the same');
  }
}

function wrongSize({ name, content }: FileEntry, size: number): Error {
  return cannot('VERIFY_FAILED', 'restore', name, `it is ${size} bytes, not ${content.bytes}`);
}
