import type { FileHandle } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import type { StoreReader } from '../store.ts';
import type { Content } from './content.ts';

const BATCH_BYTES = 1024 * 1024;

/**
 * Writes content to `handle` from offset 0, every chunk verified before it is written. Neither truncates nor
 * syncs: a new, empty file ends up exactly `content.bytes` long. `onBytes` hears of every batch written.
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
  let batch: Buffer[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    await writeAll(handle, batch, batchBytes, offset);
    offset += batchBytes;
    onBytes(batchBytes);
    batch = [];
    batchBytes = 0;
  };
  for await (const chunk of reader.readContent(content)) {
    activity.signal.throwIfAborted();
    batch.push(chunk);
    batchBytes += chunk.length;
    if (batchBytes >= BATCH_BYTES) await flush();
  }
  if (batchBytes > 0) await flush();
}

async function writeAll(
  handle: FileHandle,
  parts: readonly Buffer[],
  length: number,
  offset: number,
): Promise<void> {
  let written = (await handle.writev(parts, offset)).bytesWritten;
  if (written === length) return;
  // Cut short, as on a disk that fills up: the rest either goes through or says why not.
  const bytes = Buffer.concat(parts, length);
  while (written < length) {
    written += (await handle.write(bytes, written, length - written, offset + written))
      .bytesWritten;
  }
}
