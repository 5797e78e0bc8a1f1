import { type Content, NODE_IDS_MAX } from './content.ts';
import type { ObjectWriter } from './object-writer.ts';
import type { ContentCursor } from './walk-content.ts';

interface Level {
  ids: string[];
  /** Objects that this level has had so far, those packed into nodes included. */
  count: number;
}

/** Folds chunk ids into nodes as they come: at most NODE_IDS_MAX ids are kept per level. */
export class NodeBuilder {
  readonly #objects: ObjectWriter;
  readonly #predecessors: ContentCursor | null;
  readonly #levels: Level[] = [];

  constructor(objects: ObjectWriter, predecessors: ContentCursor | null) {
    this.#objects = objects;
    this.#predecessors = predecessors;
  }

  /** `onUsed`: as of `ObjectWriter.put`. */
  async addChunk(chunk: Buffer, id: string, onUsed: () => void): Promise<void> {
    const index = this.#levels[0]?.count ?? 0;
    await this.#objects.put('chunk', chunk, this.#predecessor(0, index), { id, onUsed });
    await this.#push(0, id);
  }

  /** A chunk that is stored already. */
  async addStored(id: string): Promise<void> {
    await this.#push(0, id);
  }

  /** The content of all chunks added; `bytes` is their length. */
  async finish(bytes: number): Promise<Content> {
    let depth = 0;
    while (depth + 1 < this.#levels.length) {
      await this.#fold(depth);
      depth += 1;
    }
    return { bytes, depth, ids: this.#levels[depth]?.ids ?? [] };
  }

  async #push(levelIndex: number, id: string): Promise<void> {
    const level = (this.#levels[levelIndex] ??= { ids: [], count: 0 });
    // Folded only when one more comes: exactly NODE_IDS_MAX ids need no further level.
    if (level.ids.length === NODE_IDS_MAX) await this.#fold(levelIndex);
    level.ids.push(id);
    level.count += 1;
  }

  async #fold(levelIndex: number): Promise<void> {
    const level = this.#levels[levelIndex]!;
    const node = Buffer.from(level.ids.join(''), 'hex');
    const above = levelIndex + 1;
    const index = this.#levels[above]?.count ?? 0;
    level.ids = [];
    const id = await this.#objects.put('node', node, this.#predecessor(above, index));
    await this.#push(above, id);
  }

  #predecessor(level: number, index: number): (() => Promise<string | null>) | null {
    const cursor = this.#predecessors;
    return cursor === null ? null : () => cursor.idAt(level, index);
  }
}
