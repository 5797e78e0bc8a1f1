import type { FileHandle } from 'node:fs/promises';

/**
 * Writes all of `bytes`, from `offset` or where the file stands. A write that is cut short, as on a disk that fills up,
 * is gone on with: the rest either goes through or says why not. @throws system errors
 */
export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number | null = null,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = offset === null ? null : offset + done;
    done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
  }
}
