import { closeSync, constants, openSync, readSync } from 'node:fs';
import { systemCode } from '../kernel/errors.ts';

/** Up to `lengthBytes` from `offset`: shorter only at the end of the file. The buffer is the caller's own. */
export function readAt(descriptor: number, offset: number, lengthBytes: number): Buffer {
  // A buffer of its own starts at a multiple of 4, as word-wise checksums want it.
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  const got = readInto(descriptor, buffer, offset);
  return got === lengthBytes ? buffer : buffer.subarray(0, got);
}

/** Fills the buffer from `offset`. @returns the bytes read: fewer only at the end of the file */
export function readInto(descriptor: number, buffer: Buffer, offset: number): number {
  let done = 0;
  while (done < buffer.length) {
    const got = readSync(descriptor, buffer, done, buffer.length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** A read-only descriptor that never follows a symlink, never waits for a pipe's writer. */
export function openForReading(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/**
 * The first bytes of a file; null when it does not exist.
 * Closing a descriptor drops this process's locks on the file: never call it on a database that an SQLite
 * connection of this process has open.
 */
export function readStart(path: string, lengthBytes: number): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openForReading(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    return readAt(descriptor, 0, lengthBytes);
  } finally {
    closeSync(descriptor);
  }
}
