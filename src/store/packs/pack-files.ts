import { closeSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { beforeRead } from '../../files/bandwidth.ts';
import { type Layout, packPath } from '../layout.ts';

const readDescriptor = promisify(read);

const OPEN_FILES_MAX = 16;
/** What stands close together is read together: records of a file mostly stand in its order. */
const BLOCK_BYTES = 1024 * 1024;
const BLOCKS_KEPT_MAX = 8;
const NEAR_BYTES = 4 * BLOCK_BYTES;

interface OpenFile {
  readonly descriptor: number;
  uses: number;
  /** Where the last read ended; null before the first one. */
  lastEnd: number | null;
}

/** Reads parts of packs and keeps the packs last used open. */
export class PackFiles {
  readonly #layout: Layout;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  /** Packs never change, so what was read of them stays true. In the order of last use, oldest first. */
  readonly #blocks = new Map<string, Promise<Buffer>>();
  #closed = false;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Up to `lengthBytes` from `offset`; fewer at the end of the file. @throws ENOENT and other system errors */
  async read(pack: string, offset: number, lengthBytes: number): Promise<Buffer> {
    const file = this.#take(pack);
    const { lastEnd } = file;
    file.lastEnd = offset + lengthBytes;
    file.uses += 1;
    try {
      const start = offset - (offset % BLOCK_BYTES);
      const isWithin = offset + lengthBytes <= start + BLOCK_BYTES;
      const isNear = lastEnd !== null && Math.abs(offset - lastEnd) < NEAR_BYTES;
      if (!isWithin || !isNear) return await readPart(file, offset, lengthBytes);
      const block = await this.#block(pack, file, start);
      return block.subarray(offset - start, offset - start + lengthBytes);
    } finally {
      file.uses -= 1;
      this.#closeIdle();
    }
  }

  #block(pack: string, file: OpenFile, start: number): Promise<Buffer> {
    const key = `${pack}:${start}`;
    const known = this.#blocks.get(key);
    const block = known ?? readPart(file, start, BLOCK_BYTES);
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    if (known === undefined) block.catch(() => this.#blocks.delete(key));
    if (this.#blocks.size > BLOCKS_KEPT_MAX) {
      this.#blocks.delete(this.#blocks.keys().next().value!);
    }
    return block;
  }

  close(): void {
    this.#closed = true;
    this.#blocks.clear();
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

async function readPart(file: OpenFile, offset: number, lengthBytes: number): Promise<Buffer> {
  await beforeRead(lengthBytes);
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  const { bytesRead } = await readDescriptor(file.descriptor, buffer, 0, lengthBytes, offset);
  return buffer.subarray(0, bytesRead);
}
