import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { systemCode } from '../kernel/errors.ts';

/** Which thing stands at a name, without opening it. */
export interface EntryIdentity {
  readonly kind: 'file' | 'symlink' | 'directory' | 'special';
  /** Decimal. The device number is left out: it may differ after a reboot. */
  readonly inode: string;
  readonly bytes: number;
  /** Nanoseconds since the epoch, decimal. */
  readonly mtimeNs: string;
  /** `mode & 0o7777`. */
  readonly mode: number;
}

function kindOf(status: BigIntStats): EntryIdentity['kind'] {
  if (status.isFile()) return 'file';
  if (status.isSymbolicLink()) return 'symlink';
  return status.isDirectory() ? 'directory' : 'special';
}

/** The identity of what stands at `path` itself, symlinks not followed; null when nothing does. */
export async function identify(path: string): Promise<EntryIdentity | null> {
  try {
    const status = await lstat(path, { bigint: true });
    return {
      kind: kindOf(status),
      inode: String(status.ino),
      bytes: Number(status.size),
      mtimeNs: String(status.mtimeNs),
      mode: Number(status.mode) & 0o7777,
    };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

/** True when both are the same object, whatever was written to it in between. */
export function sameEntry(left: EntryIdentity | null, right: EntryIdentity | null): boolean {
  if (left === null || right === null) return left === right;
  return left.kind === right.kind && left.inode === right.inode;
}

/** True when both are the same object, and nothing was written to it in between as far as its metadata tells. */
export function unchangedEntry(left: EntryIdentity | null, right: EntryIdentity | null): boolean {
  if (left === null || right === null) return left === right;
  return sameEntry(left, right) && left.bytes === right.bytes && left.mtimeNs === right.mtimeNs;
}

/**
 * Seconds as `utimes` takes them; as text, since a number below zero is taken for now. Node sets times in whole
 * microseconds, so that finer digits are lost.
 */
export function utimeSeconds(mtimeNs: string): string {
  const microseconds = Number(BigInt(mtimeNs) / 1000n);
  // It cuts off instead of rounding, and the nearest double may lie just short: half a microsecond on top is safe.
  return String((microseconds + (microseconds < 0 ? -0.5 : 0.5)) / 1e6);
}
