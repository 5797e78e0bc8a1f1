import { closeSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { beforeRead } from '../../files/bandwidth.ts';
import { type Layout, packPath } from '../layout.ts';

const readDescriptor = promisify(read);

interface OpenFile {
  readonly descriptor: number;
  uses: number;
}

const OPEN_FILES_MAX = 16;

/** Reads parts of packs and keeps the packs last used open. */
export class PackFiles {
  readonly #layout: Layout;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  #closed = false;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Up to `lengthBytes` from `offset`; fewer at the end of the file. @throws ENOENT and other system errors */
  async read(pack: string, offset: number, lengthBytes: number): Promise<Buffer> {
    const file = this.#take(pack);
    file.uses += 1;
    try {
      await beforeRead(lengthBytes);
      const buffer = Buffer.allocUnsafe(lengthBytes);
      const { bytesRead } = await readDescriptor(file.descriptor, buffer, 0, lengthBytes, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      file.uses -= 1;
      this.#closeIdle();
    }
  }

  close(): void {
    this.#closed = true;
    this.#closeIdle();
  }

  #take(pack: string): OpenFile {
    const known = this.#open.get(pack);
    const file = known ?? { descriptor: openSync(packPath(this.#layout, pack), 'r'), uses: 0 };
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
