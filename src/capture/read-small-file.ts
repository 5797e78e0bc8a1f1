import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { isOpenedIn } from '../files/opened-place.ts';
import { systemCode } from '../kernel/errors.ts';
import { CHUNK_BYTES } from '../kernel/limits.ts';

export const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface SmallFile {
  readonly stat: BigIntStats;
  readonly bytes: Buffer;
}

/**
 * A regular file of at most one chunk that held still while it was read; null for anything else, which then needs
 * more care. Its few system calls are made at once: handing each to a thread costs more than making it.
 */
export function readSmallFile(path: string): SmallFile | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, OPEN_FLAGS);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return null;
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    if (!stat.isFile() || stat.size > CHUNK_BYTES) return null;
    if (!isOpenedIn(descriptor, dirname(path), path)) return null;
    const bytes = Buffer.allocUnsafe(Number(stat.size));
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(descriptor, bytes, at, bytes.length - at, at);
      if (got === 0) return null;
      at += got;
    }
    return isSameState(stat, fstatSync(descriptor, { bigint: true })) ? { stat, bytes } : null;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return null;
  } finally {
    closeSync(descriptor);
  }
}

export function isSameState(left: BigIntStats, right: BigIntStats): boolean {
  return (
    left.size === right.size && left.mtimeNs === right.mtimeNs && left.ctimeNs === right.ctimeNs
  );
}
