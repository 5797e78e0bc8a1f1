import { crc32 } from 'node:zlib';

/** What was announced of a content. */
export interface ExpectedContent {
  readonly bytes: number;
  /** A CRC-32, where one was given. */
  readonly crc?: number;
  readonly refuse: (path: string, state: string) => Error;
}

/** Passes a content on as long as it is what was announced. */
export async function* checkedContent(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { bytes, crc, refuse }: ExpectedContent,
): AsyncGenerator<Uint8Array, void> {
  let seen = 0;
  let sum = 0;
  for await (const piece of content) {
    seen += piece.length;
    if (seen > bytes) throw refuse(path, `it is longer than its ${bytes} bytes`);
    if (crc !== undefined) sum = crc32(piece, sum);
    yield piece;
  }
  if (seen !== bytes) throw refuse(path, `it is ${seen} bytes, not ${bytes}`);
  if (crc !== undefined && sum !== crc) throw refuse(path, 'its checksum is wrong');
}
