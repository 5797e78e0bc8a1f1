import type { Activity } from '../../kernel/activity.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { ContentSource } from '../store.ts';
import { type Content, EMPTY_CONTENT } from './content.ts';
import { NodeBuilder } from './node-builder.ts';
import type { ObjectWriter } from './object-writer.ts';
import { ContentCursor, type ReadObject } from './walk-content.ts';

/** A multiple of CHUNK_BYTES: small reads would cost more than hashing what they bring. */
const BLOCK_BYTES = 1024 * 1024;

/**
 * Cuts a file into chunks and stores those that are new; memory does not grow with the file. Storing goes on
 * after this returns: `ObjectWriter.settle` waits for it.
 */
export async function writeContentTo(
  objects: ObjectWriter,
  read: ReadObject,
  source: ContentSource,
  parent: Content | null,
  activity: Activity,
): Promise<Content> {
  if (source.bytes === 0) return EMPTY_CONTENT;
  const predecessors = parent === null ? null : new ContentCursor(parent, read);
  const nodes = new NodeBuilder(objects, predecessors);
  for await (const block of blocksOf(source, activity)) {
    for (let at = 0; at < block.length; at += CHUNK_BYTES) {
      const chunk = block.subarray(at, Math.min(at + CHUNK_BYTES, block.length));
      await nodes.addChunk(chunk);
    }
  }
  return nodes.finish(source.bytes);
}

/** Blocks in order; the next one is being read while the last one is worked on. */
async function* blocksOf(source: ContentSource, activity: Activity): AsyncGenerator<Buffer> {
  const readBlock = async (offset: number): Promise<Buffer | null> => {
    if (offset >= source.bytes) return null;
    activity.signal.throwIfAborted();
    return source.read(offset, Math.min(BLOCK_BYTES, source.bytes - offset));
  };
  let next = readBlock(0);
  for (let offset = 0; offset < source.bytes; offset += BLOCK_BYTES) {
    const block = await next;
    if (block === null) return;
    next = readBlock(offset + BLOCK_BYTES);
    // Thrown where it is awaited; nobody awaits it if the consumer fails first.
    next.catch(() => {});
    yield block;
  }
}
