import { HoldfastError } from '../../kernel/errors.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { ContentSource } from '../store.ts';
import type { Content } from './content.ts';
import type { ObjectWriter } from './object-writer.ts';
import { ContentCursor, type ReadObject } from './walk-content.ts';

/** Chunks that a content takes from the one before it without being read. */
export class KeptChunks {
  readonly #source: ContentSource;
  readonly #parent: Content;
  readonly #cursor: ContentCursor;
  readonly #objects: ObjectWriter;

  constructor(source: ContentSource, parent: Content, read: ReadObject, objects: ObjectWriter) {
    this.#source = source;
    this.#parent = parent;
    this.#cursor = new ContentCursor(parent, read);
    this.#objects = objects;
  }

  /** The id of the chunk at `offset`, counted as used again; null where it must be read. */
  async idAt(offset: number, lengthBytes: number): Promise<string | null> {
    const { bytes } = this.#parent;
    if (Math.min(CHUNK_BYTES, bytes - offset) !== lengthBytes) return null;
    if (this.#source.isAsBefore?.(offset, lengthBytes) !== true) return null;
    const id = await this.#parentId(offset / CHUNK_BYTES);
    return id !== null && this.#objects.reuseChunk(id) ? id : null;
  }

  async #parentId(index: number): Promise<string | null> {
    try {
      return await this.#cursor.idAt(0, index);
    } catch (error) {
      // A damaged parent must not stop a new snapshot: what it held is read.
      if (error instanceof HoldfastError) return null;
      throw error;
    }
  }
}
