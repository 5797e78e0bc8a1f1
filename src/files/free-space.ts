import { statfs } from 'node:fs/promises';
import { cannot } from '../kernel/errors.ts';

/** Room asked for on top of what will be written, in percent. */
const RESERVE_PERCENT = 10;

/** Bytes that this process may still write to the file system of an existing directory. */
export async function freeBytes(directory: string): Promise<number> {
  const status = await statfs(directory);
  const available = process.getuid?.() === 0 ? status.bfree : status.bavail;
  return available * status.bsize;
}

/**
 * Refuses work that would fill the disk, before its first byte.
 * @throws NO_SPACE
 */
export async function requireFreeSpace(
  directory: string,
  neededBytes: number,
  verb: string,
): Promise<void> {
  const reservedBytes = Math.ceil((neededBytes * RESERVE_PERCENT) / 100);
  const free = await freeBytes(directory);
  if (free >= neededBytes + reservedBytes) return;
  throw cannot(
    'NO_SPACE',
    verb,
    directory,
    `${neededBytes} bytes and ${RESERVE_PERCENT} % more are needed, ${free} are free`,
    {
      hint: 'Free some space and try again.',
      retryable: true,
      details: { neededBytes, reservedBytes, freeBytes: free },
    },
  );
}
