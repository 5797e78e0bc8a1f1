import { Decompress } from 'fzstd';
import { damaged, tooMuch, unsupported } from './archive-refusal.ts';
import { ByteReader } from './byte-reader.ts';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;
/** What a decoder has to keep; the same as the programs allow. */
export const ZSTD_WINDOW_BYTES_MAX = 128 * 1024 * 1024;

const RLE_BLOCK = 1;

interface FrameHeader {
  readonly bytes: Buffer;
  readonly hasChecksum: boolean;
}

/** RFC 8878 §3.1.1.1, as far as it says how much memory the frame asks for. */
async function readFrameHeader(reader: ByteReader, magic: Buffer): Promise<FrameHeader> {
  const descriptor = Buffer.from(await reader.exactly(1));
  const flags = descriptor[0]!;
  const isSingle = (flags & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  if (dictionaryBytes > 0) {
    throw unsupported('zstd', 'it needs a dictionary', 'Compress it again without one.');
  }
  const window = isSingle ? Buffer.alloc(0) : Buffer.from(await reader.exactly(1));
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const size = Buffer.from(await reader.exactly(sizeBytes));
  const windowBytes = isSingle ? contentBytes(size) : windowOf(window[0]!);
  if (windowBytes > ZSTD_WINDOW_BYTES_MAX) {
    const details = { windowBytes, windowBytesMax: ZSTD_WINDOW_BYTES_MAX };
    throw tooMuch('zstd', 'decoding it takes too much memory', details);
  }
  const bytes = Buffer.concat([magic, descriptor, window, size]);
  return { bytes, hasChecksum: (flags & 4) !== 0 };
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentBytes(size: Buffer): number {
  if (size.length === 8) return Number(size.readBigUInt64LE(0));
  const value = size.readUIntLE(0, size.length);
  return size.length === 2 ? value + 256 : value;
}

async function* decodeFrame(reader: ByteReader, magic: Buffer): AsyncGenerator<Buffer, void> {
  const header = await readFrameHeader(reader, magic);
  let decoded: Uint8Array[] = [];
  const decoder = new Decompress((piece) => decoded.push(piece));
  let ahead = header.bytes;
  for (let isLast = false; !isLast; ) {
    const blockHeader = Buffer.from(await reader.exactly(3));
    const fields = blockHeader.readUIntLE(0, 3);
    isLast = (fields & 1) === 1;
    const blockBytes = fields >> 3;
    if (blockBytes > BLOCK_BYTES_MAX) throw damaged('zstd', 'a block is too large');
    const isRle = ((fields >> 1) & 3) === RLE_BLOCK;
    const block = await reader.exactly(isRle ? 1 : blockBytes);
    const parts = [ahead, blockHeader, block];
    if (isLast && header.hasChecksum) parts.push(Buffer.from(await reader.exactly(4)));
    pushInto(decoder, Buffer.concat(parts), isLast);
    ahead = Buffer.alloc(0);
    for (const piece of decoded) yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    decoded = [];
  }
}

function pushInto(decoder: Decompress, bytes: Buffer, isLast: boolean): void {
  try {
    decoder.push(bytes, isLast);
  } catch (cause) {
    throw damaged('zstd', 'its compressed bytes cannot be decoded', { cause });
  }
}

/**
 * Decodes zstd where neither the runtime nor a program can, block by block, so that memory stays bounded. Checksums
 * of frames are passed over: what is decoded is as safe from damage as what was never compressed.
 * @throws VERIFY_FAILED, LIMIT_EXCEEDED, UNSUPPORTED_FORMAT
 */
export async function* portableUnzstd(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void> {
  const reader = new ByteReader(source, 'zstd');
  try {
    for (;;) {
      const magic = await reader.exactlyOrEnd(4);
      if (magic === null) return;
      const value = magic.readUInt32LE(0);
      if ((value & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
        await reader.skip((await reader.exactly(4)).readUInt32LE(0));
      } else if (value === FRAME_MAGIC) yield* decodeFrame(reader, Buffer.from(magic));
      else throw damaged('zstd', 'something else follows its frames');
    }
  } finally {
    await reader.close();
  }
}
