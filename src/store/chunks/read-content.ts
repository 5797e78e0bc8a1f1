import { cannot } from '../../kernel/errors.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { Content } from './content.ts';
import { chunkIdsOf, type ReadObject } from './walk-content.ts';

/** Chunks of 3 MiB together: enough to keep every thread busy. */
const READS_AHEAD = 48;

/**
 * Plaintext in order, each buffer verified against its chunk id; a few chunks are read ahead.
 * @throws VERIFY_FAILED, REPO_CORRUPT
 */
export async function* readContentOf(content: Content, read: ReadObject): AsyncGenerator<Buffer> {
  const ids = chunkIdsOf(content, read);
  const ahead: Promise<Buffer>[] = [];
  let offset = 0;
  let exhausted = false;
  for (;;) {
    while (!exhausted && ahead.length < READS_AHEAD) {
      const next = await ids.next();
      exhausted = next.done === true;
      if (next.done === true) break;
      const reading = read(next.value);
      // Its failure is thrown when its turn comes; if the consumer leaves before, nobody asks.
      reading.catch(() => {});
      ahead.push(reading);
    }
    const reading = ahead.shift();
    if (reading === undefined) break;
    const chunk = await reading;
    const expectedBytes = Math.min(CHUNK_BYTES, content.bytes - offset);
    if (chunk.length !== expectedBytes) throw wrongLength(content, offset);
    offset += chunk.length;
    yield chunk;
  }
  if (offset !== content.bytes) throw wrongLength(content, offset);
}

export function wrongLength(content: Content, offset: number): Error {
  const state = `its chunks do not add up to ${content.bytes} bytes (at ${offset})`;
  return cannot('REPO_CORRUPT', 'read content', content.ids[0] ?? '', state);
}
