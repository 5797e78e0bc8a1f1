import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../kernel/errors.ts';
import { isSidecarName } from './family.ts';
import { isDatabaseHeader } from './header.ts';
import { readStart } from './read-at.ts';

export interface DiscoverOptions {
  /** Levels of directories below the root that are searched; 0: the root's own files only. */
  readonly depth: number;
  /** Absolute paths for which it returns true are neither opened nor entered. */
  readonly exclude?: (path: string) => boolean;
}

/**
 * Databases below a directory, found by their header, never by extension: absolute paths, sorted. Symlinks are not
 * followed; what cannot be read is passed over, as is a missing root. Opens and closes every regular file, so it
 * must run before this process opens an SQLite connection on any of them.
 */
export async function discoverDatabases(root: string, options: DiscoverOptions): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await listed(root)) {
    if (!isUtf8(entry.name)) continue;
    const name = entry.name.toString();
    const path = join(root, name);
    if (options.exclude?.(path) === true) continue;
    if (entry.isDirectory() && options.depth > 0) {
      found.push(...(await discoverDatabases(path, { ...options, depth: options.depth - 1 })));
    } else if (entry.isFile()) {
      const sidecar = isSidecarName(name);
      const belongsToFound = sidecar !== null && found.includes(join(root, sidecar.main));
      if (!belongsToFound && startsAsDatabase(path)) found.push(path);
    }
  }
  return found;
}

async function listed(directory: string): Promise<Dirent<Buffer>[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
    return entries.sort((left, right) => Buffer.compare(left.name, right.name));
  } catch (error) {
    if (isUnreadable(error)) return [];
    throw error;
  }
}

/** True when the file starts with SQLite's magic; false when it cannot be read. The lock hazard of `readStart` holds. */
export function startsAsDatabase(path: string): boolean {
  try {
    return isDatabaseHeader(readStart(path, 16) ?? Buffer.alloc(0));
  } catch (error) {
    if (isUnreadable(error)) return false;
    throw error;
  }
}

const UNREADABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO', 'EISDIR']);

function isUnreadable(error: unknown): boolean {
  return UNREADABLE.has(systemCode(error) ?? '');
}
