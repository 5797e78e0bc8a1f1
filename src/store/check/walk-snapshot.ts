import type { Activity } from '../../kernel/activity.ts';
import { cannot, HoldfastError } from '../../kernel/errors.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { Content } from '../chunks/content.ts';
import { nodeIds, type ReadObject } from '../chunks/walk-content.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { readTreeEntries } from '../trees/read-tree.ts';

export interface SnapshotVisitor {
  /** A data chunk of `path`; the same chunk may come again, under the same or another path. */
  chunk(id: string, path: string, expectedBytes: number): void | Promise<void>;
  /** A tree or node that cannot be read, or a content that does not add up. */
  damaged(path: string, error: HoldfastError): void;
  /** A file or database, after its chunks. */
  file?(path: string, content: Content): void;
}

/** Visits everything snapshots refer to. Trees and nodes that several share are read once per walker. */
export class SnapshotWalker {
  readonly #read: ReadObject;
  readonly #visitor: SnapshotVisitor;
  readonly #activity: Activity;
  readonly #trees = new Set<string>();
  /** Chunks below each node that was read. */
  readonly #nodes = new Map<string, number>();

  constructor(read: ReadObject, visitor: SnapshotVisitor, activity: Activity) {
    this.#read = read;
    this.#visitor = visitor;
    this.#activity = activity;
  }

  get trees(): number {
    return this.#trees.size;
  }

  async walk(manifest: Manifest): Promise<void> {
    for (const { prefix, tree } of manifest.roots) {
      if (tree !== null) await this.#walkTree(tree, prefix);
    }
  }

  async #walkTree(tree: string, path: string): Promise<void> {
    this.#activity.signal.throwIfAborted();
    if (this.#trees.has(tree)) return;
    this.#trees.add(tree);
    const entries = await this.#orDamaged(path, () => readTreeEntries(tree, this.#read));
    for (const entry of entries ?? []) {
      const entryPath = `${path}/${entry.name}`;
      if (entry.type === 'directory') await this.#walkTree(entry.tree, entryPath);
      if (entry.type === 'file' || entry.type === 'database') {
        await this.#orDamaged(entryPath, () => this.#walkContent(entry.content, entryPath));
        this.#visitor.file?.(entryPath, entry.content);
      }
    }
  }

  async #walkContent(content: Content, path: string): Promise<void> {
    let chunks = 0;
    for (const id of content.ids) {
      chunks += await this.#walkObject(id, content, content.depth, chunks, path);
    }
    if (chunks === Math.ceil(content.bytes / CHUNK_BYTES)) return;
    const state = `it has ${chunks} chunks for ${content.bytes} bytes`;
    throw cannot('REPO_CORRUPT', 'read content of', path, state);
  }

  /** Returns how many chunks stand below. */
  async #walkObject(
    id: string,
    content: Content,
    depth: number,
    index: number,
    path: string,
  ): Promise<number> {
    if (depth === 0) {
      const rest = content.bytes - index * CHUNK_BYTES;
      await this.#visitor.chunk(id, path, Math.min(CHUNK_BYTES, Math.max(rest, 0)));
      return 1;
    }
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    this.#activity.signal.throwIfAborted();
    let chunks = 0;
    for (const child of nodeIds(await this.#read(id), id)) {
      chunks += await this.#walkObject(child, content, depth - 1, index + chunks, path);
    }
    this.#nodes.set(id, chunks);
    return chunks;
  }

  async #orDamaged<T>(path: string, run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#visitor.damaged(path, error);
      return null;
    }
  }
}
