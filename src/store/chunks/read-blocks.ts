import { CHUNK_BYTES } from '../../kernel/limits.ts';
import { BLOCK_BYTES, LentBlock } from '../threads/lent-block.ts';
import type { Content } from './content.ts';
import { wrongLength } from './read-content.ts';
import { chunkIdsOf, type ReadObject } from './walk-content.ts';

const BLOCK_CHUNKS = BLOCK_BYTES / CHUNK_BYTES;
/** Together enough chunks to keep every thread busy. */
const BLOCKS_AHEAD = 6;

/** Reads objects, verified, each into its place where it is just as long; else it comes in memory of its own. */
export type ReadObjectsInto = (
  ids: readonly string[],
  places: readonly Buffer[],
) => Promise<readonly Buffer[]>;

/** A block of plaintext. Its memory is lent: once it is released, something else stands there. */
export interface ReadBlock {
  readonly bytes: Buffer;
  release(): void;
}

/**
 * Plaintext in order, in blocks of a mebibyte, every chunk verified against its id; some blocks are read ahead.
 * Whoever takes a block releases it.
 * @throws VERIFY_FAILED, REPO_CORRUPT
 */
export async function* readBlocksOf(
  content: Content,
  read: ReadObject,
  readInto: ReadObjectsInto,
): AsyncGenerator<ReadBlock> {
  const ids = chunkIdsOf(content, read);
  const ahead: Promise<ReadBlock>[] = [];
  let begun = 0;
  let done = 0;
  for (;;) {
    while (begun < content.bytes && ahead.length < BLOCKS_AHEAD) {
      const lengthBytes = Math.min(BLOCK_BYTES, content.bytes - begun);
      const blockIds = await nextIds(ids, Math.ceil(lengthBytes / CHUNK_BYTES));
      const reading = readBlock(content, begun, lengthBytes, blockIds, readInto);
      // Its failure is thrown when its turn comes; if the consumer leaves before, nobody asks.
      reading.catch(() => {});
      ahead.push(reading);
      begun += lengthBytes;
    }
    const reading = ahead.shift();
    if (reading === undefined) break;
    const block = await reading;
    done += block.bytes.length;
    yield block;
  }
  if (done !== content.bytes || (await ids.next()).done !== true) throw wrongLength(content, done);
}

/** Fewer at the end. */
async function nextIds(ids: AsyncGenerator<string>, count: number): Promise<readonly string[]> {
  const taken: string[] = [];
  while (taken.length < Math.min(count, BLOCK_CHUNKS)) {
    const next = await ids.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

/** @throws REPO_CORRUPT unless the chunks are exactly so long */
async function readBlock(
  content: Content,
  offset: number,
  lengthBytes: number,
  ids: readonly string[],
  readInto: ReadObjectsInto,
): Promise<ReadBlock> {
  const block = new LentBlock();
  const bytes = block.bytes.subarray(0, lengthBytes);
  if (ids.length < Math.ceil(lengthBytes / CHUNK_BYTES)) {
    throw wrongLength(content, offset + ids.length * CHUNK_BYTES);
  }
  const places = ids.map((_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
  // A block that failed is not lent again: some of its chunks may still be on their way into it.
  for (const [index, chunk] of (await readInto(ids, places)).entries()) {
    const place = places[index]!;
    if (chunk.length !== place.length) throw wrongLength(content, offset + index * CHUNK_BYTES);
    if (chunk !== place) chunk.copy(place);
  }
  return { bytes, release: () => block.release() };
}
