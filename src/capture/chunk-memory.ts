import { CHUNK_BYTES } from '../kernel/limits.ts';
import type { ChangedPages } from '../sqlite/changed-pages.ts';
import type { LogPosition } from '../sqlite/log-position.ts';
import type { PinnedDatabase } from '../sqlite/pinned-read.ts';

const ID_BYTES = 32;
/** No chunk hashes to this. */
const UNKNOWN = Buffer.alloc(ID_BYTES);

/** The chunks of one database that were read and stored so far, as of one position in its log: 32 bytes each. */
export class ChunkMemory {
  #ids = Buffer.alloc(0);
  #imageBytes = 0;
  /** Null where nothing connects what is known with a later state. */
  #position: LogPosition | null = null;

  /** False where some of it was taken from the parent without being read. */
  #isRead = true;
  #isUsed = false;

  /** True when any of it went into the image that is being stored. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Before an image is stored. `isScan`: all of it must have been read, `afresh`: now. */
  prepare({ isScan, afresh }: { readonly isScan: boolean; readonly afresh: boolean }): void {
    if (afresh || (isScan && !this.#isRead)) this.#ids.fill(0);
    this.#isRead = isScan;
    this.#isUsed = false;
  }

  get position(): LogPosition | null {
    return this.#position;
  }

  /** Before a pinned state is read: forgets what may have changed since the one that is known. */
  begin(pinned: PinnedDatabase): void {
    const changed = this.#position === null ? null : pinned.changesSince(this.#position);
    const { bytes } = pinned.image;
    this.#resize(bytes);
    if (changed === null) this.#ids.fill(0);
    else this.#forget(changed, pinned.pageBytes);
    this.#position = pinned.logPosition();
  }

  /** Before a pinned state is let go: moves on to the newest one, from which a later one is reached most surely. */
  leave(pinned: PinnedDatabase): void {
    const newer = pinned.changesWhilePinned();
    if (newer === null) return;
    this.#forget(newer.pages, pinned.pageBytes);
    this.#resize(newer.position.pageBytes * newer.position.pageCount);
    this.#position = newer.position;
  }

  /** The id of a chunk that stands in the image as it was stored; null: it must be read. */
  idAt(offset: number, lengthBytes: number): string | null {
    if (lengthBytes !== this.#lengthAt(offset)) return null;
    const id = this.#slot(offset);
    if (id.equals(UNKNOWN)) return null;
    this.#isUsed = true;
    return id.toString('hex');
  }

  store(offset: number, id: string): void {
    this.#slot(offset).write(id, 'hex');
  }

  #lengthAt(offset: number): number {
    return Math.min(CHUNK_BYTES, this.#imageBytes - offset);
  }

  #slot(offset: number): Buffer {
    const at = (offset / CHUNK_BYTES) * ID_BYTES;
    return this.#ids.subarray(at, at + ID_BYTES);
  }

  #forget(changed: ChangedPages, pageBytes: number): void {
    for (let offset = 0; offset < this.#imageBytes; offset += CHUNK_BYTES) {
      if (changed.isUnchanged(offset, this.#lengthAt(offset), pageBytes)) continue;
      this.#slot(offset).fill(0);
    }
  }

  /** A chunk that the end of the image moves through is another one. */
  #resize(imageBytes: number): void {
    if (imageBytes === this.#imageBytes) return;
    const whole = Math.floor(Math.min(imageBytes, this.#imageBytes) / CHUNK_BYTES);
    const ids = Buffer.alloc(Math.ceil(imageBytes / CHUNK_BYTES) * ID_BYTES);
    this.#ids.copy(ids, 0, 0, whole * ID_BYTES);
    this.#ids = ids;
    this.#imageBytes = imageBytes;
  }
}
