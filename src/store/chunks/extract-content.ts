import type { FileHandle } from 'node:fs/promises';
import { ParallelWork } from '../../files/parallel-work.ts';
import { writeAll } from '../../files/write-all.ts';
import type { Activity } from '../../kernel/activity.ts';
import type { StoreReader } from '../store.ts';
import type { Content } from './content.ts';

/** One is written while the next one is made ready. */
const WRITES_AT_ONCE = 3;

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
  const writes = new ParallelWork(WRITES_AT_ONCE);
  let offset = 0;
  try {
    for await (const { bytes, release } of reader.readBlocks(content)) {
      activity.signal.throwIfAborted();
      const at = offset;
      offset += bytes.length;
      await writes.add(async () => {
        await writeAll(handle, bytes, at);
        release();
        onBytes(bytes.length);
      });
    }
    await writes.settle();
  } finally {
    // Nothing is closed or removed under them.
    await writes.idle();
  }
}
