import { closeSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { beforeRead } from '../../files/bandwidth.ts';
import { type Layout, packPath } from '../layout.ts';
import { BLOCK_BYTES, LentBlock } from '../threads/lent-block.ts';

const readDescriptor = promisify(read);

const OPEN_FILES_MAX = 16;
/** What stands close together is read together: records of a file mostly stand in its order. */
const BLOCKS_KEPT_MAX = 8;
const NEAR_BYTES = 4 * BLOCK_BYTES;

/** Bytes that are lent: once they are released, something else stands there. */
export interface LentBytes {
  readonly bytes: Buffer;
  release(): void;
}

interface OpenFile {
  readonly descriptor: number;
  uses: number;
  /** Where the last read ended; null before the first one. */
  lastEnd: number | null;
}

/** Held by whoever waits for it or uses it, and while it is kept. */
interface ReadBlock {
  readonly block: LentBlock;
  /** How many bytes there are. */
  readonly reading: Promise<number>;
}

/** Reads parts of packs and keeps the packs last used open. */
export class PackFiles {
  readonly #layout: Layout;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  /** Packs never change, so what was read of them stays true. In the order of last use, oldest first. */
  readonly #blocks = new Map<string, ReadBlock>();
  #closed = false;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Up to `lengthBytes` from `offset`; fewer at the end of the file. @throws ENOENT and other system errors */
  async read(pack: string, offset: number, lengthBytes: number): Promise<LentBytes> {
    const file = this.#take(pack);
    const { lastEnd } = file;
    file.lastEnd = offset + lengthBytes;
    file.uses += 1;
    try {
      const start = offset - (offset % BLOCK_BYTES);
      const isWithin = offset + lengthBytes <= start + BLOCK_BYTES;
      const isNear = lastEnd !== null && Math.abs(offset - lastEnd) < NEAR_BYTES;
      if (isWithin && isNear) {
        return await partOf(this.#holdBlock(pack, file, start), offset - start, lengthBytes);
      }
      const own = Buffer.allocUnsafeSlow(lengthBytes);
      const bytes = own.subarray(0, await readPart(file, own, offset));
      return { bytes, release: () => {} };
    } finally {
      file.uses -= 1;
      this.#closeIdle();
    }
  }

  #holdBlock(pack: string, file: OpenFile, start: number): ReadBlock {
    const key = `${pack}:${start}`;
    const known = this.#blocks.get(key);
    const read = known ?? readBlock(file, start);
    this.#blocks.delete(key);
    this.#blocks.set(key, read);
    read.block.hold();
    if (known === undefined) {
      read.reading.catch(() => {
        if (this.#blocks.get(key) === read) this.#drop(key);
      });
    }
    if (this.#blocks.size > BLOCKS_KEPT_MAX) this.#drop(this.#blocks.keys().next().value!);
    return read;
  }

  #drop(key: string): void {
    const read = this.#blocks.get(key)!;
    this.#blocks.delete(key);
    // Not while it is still being read into.
    read.reading.then(
      () => read.block.release(),
      () => read.block.release(),
    );
  }

  close(): void {
    this.#closed = true;
    for (const key of [...this.#blocks.keys()]) this.#drop(key);
    this.#closeIdle();
  }

  #take(pack: string): OpenFile {
    const known = this.#open.get(pack);
    const file = known ?? {
      descriptor: openSync(packPath(this.#layout, pack), 'r'),
      uses: 0,
      lastEnd: null,
    };
    this.#open.delete(pack);
    this.#open.set(pack, file);
    return file;
  }

  /** A descriptor in use is closed when its last read ends, never under it. */
  #closeIdle(): void {
    const keep = this.#closed ? 0 : OPEN_FILES_MAX;
    for (const [pack, file] of this.#open) {
      if (this.#open.size <= keep) return;
      if (file.uses > 0) continue;
      this.#open.delete(pack);
      closeSync(file.descriptor);
    }
  }
}

function readBlock(file: OpenFile, start: number): ReadBlock {
  const block = new LentBlock();
  return { block, reading: readPart(file, block.bytes, start) };
}

/** Of a block that was held for it. */
async function partOf(
  { block, reading }: ReadBlock,
  offset: number,
  lengthBytes: number,
): Promise<LentBytes> {
  try {
    const end = Math.min(offset + lengthBytes, await reading);
    return { bytes: block.bytes.subarray(offset, end), release: () => block.release() };
  } catch (error) {
    block.release();
    throw error;
  }
}

async function readPart(file: OpenFile, into: Buffer, offset: number): Promise<number> {
  await beforeRead(into.length);
  const { bytesRead } = await readDescriptor(file.descriptor, into, 0, into.length, offset);
  return bytesRead;
}
