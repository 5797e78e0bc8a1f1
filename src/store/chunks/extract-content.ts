import type { FileHandle } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import type { StoreReader } from '../store.ts';
import type { Content } from './content.ts';

/**
 * Writes content to `handle` from offset 0, every chunk verified before it is written. Neither truncates nor
 * syncs: a new, empty file ends up exactly `content.bytes` long. `onBytes` hears of every block written.
 * @throws VERIFY_FAILED, REPO_CORRUPT, system errors of the target
 */
export async function extractContent(
  reader: StoreReader,
  content: Content,
  handle: FileHandle,
  activity: Activity,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  let offset = 0;
  for await (const block of reader.readBlocks(content)) {
    activity.signal.throwIfAborted();
    await writeAll(handle, block, offset);
    offset += block.length;
    onBytes(block.length);
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  // Cut short, as on a disk that fills up: the rest either goes through or says why not.
  for (let written = 0; written < bytes.length; ) {
    const { length } = bytes;
    written += (await handle.write(bytes, written, length - written, offset + written))
      .bytesWritten;
  }
}
