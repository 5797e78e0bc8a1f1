/** What is read and written of large contents at once, on its way through threads. */
export const BLOCK_BYTES = 1024 * 1024;

/** Enough for the blocks being read, hashed, compressed and written of one content, and for those kept of packs; more
    are made where needed. */
const KEPT_MAX = 24;
const kept: SharedArrayBuffer[] = [];

/**
 * A block of memory that threads see, lent and used again: buffers that are made and dropped for every block keep
 * the collector busy, and pile up until it runs. Whoever keeps a view of it holds it; when nobody does any more, its
 * bytes are somebody else's. One that is dropped without being released is collected as any memory is.
 */
export class LentBlock {
  readonly bytes: Buffer;
  readonly memory: SharedArrayBuffer;
  #holds = 1;

  constructor() {
    this.memory = kept.pop() ?? new SharedArrayBuffer(BLOCK_BYTES);
    this.bytes = Buffer.from(this.memory);
  }

  /** True where `view` is a part of it. */
  lends(view: Buffer): boolean {
    return (view.buffer as ArrayBufferLike) === this.memory;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && kept.length < KEPT_MAX) kept.push(this.memory);
  }
}
