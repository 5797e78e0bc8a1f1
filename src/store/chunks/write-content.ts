import type { Activity } from '../../kernel/activity.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { ContentSource } from '../store.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { type Content, EMPTY_CONTENT } from './content.ts';
import { NodeBuilder } from './node-builder.ts';
import type { ObjectWriter } from './object-writer.ts';
import { ContentCursor, type ReadObject } from './walk-content.ts';

/** A multiple of CHUNK_BYTES: small reads would cost more than hashing what they bring. */
const BLOCK_BYTES = 1024 * 1024;
const BLOCKS_AHEAD = 4;

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
  for await (const chunks of blocksOf(source, activity)) {
    for (const { chunk, id } of chunks) await nodes.addChunk(chunk, id);
  }
  return nodes.finish(source.bytes);
}

interface HashedChunk {
  readonly chunk: Buffer;
  readonly id: string;
}

/** The chunks of blocks in order; the next blocks are being read, one at a time, and hashed meanwhile. */
async function* blocksOf(
  source: ContentSource,
  activity: Activity,
): AsyncGenerator<readonly HashedChunk[]> {
  const ahead: Promise<readonly HashedChunk[]>[] = [];
  let lastRead: Promise<unknown> = Promise.resolve();
  let isOver = false;
  const begin = (offset: number): void => {
    const reading = lastRead.then(() => {
      // Nothing may be read once the consumer has gone: the source may be closed then.
      if (isOver) return Buffer.alloc(0);
      activity.signal.throwIfAborted();
      return source.read(offset, Math.min(BLOCK_BYTES, source.bytes - offset));
    });
    lastRead = reading;
    const hashed = reading.then(hashChunks);
    // Thrown where it is awaited; nobody awaits it if the consumer fails first.
    hashed.catch(() => {});
    ahead.push(hashed);
  };
  try {
    let offset = 0;
    do {
      for (; ahead.length < BLOCKS_AHEAD && offset < source.bytes; offset += BLOCK_BYTES)
        begin(offset);
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    } while (ahead.length > 0 || offset < source.bytes);
  } finally {
    isOver = true;
  }
}

async function hashChunks(block: Buffer): Promise<readonly HashedChunk[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < block.length; at += CHUNK_BYTES) {
    chunks.push(block.subarray(at, Math.min(at + CHUNK_BYTES, block.length)));
  }
  return Promise.all(
    chunks.map(async (chunk) => {
      const { length: plainBytes } = chunk;
      const task = {
        kind: 'decode',
        codec: 'none',
        bytes: chunk,
        plainBytes,
        wanted: 'id',
      } as const;
      return { chunk, id: (await bytePool().run(task)).id! };
    }),
  );
}
