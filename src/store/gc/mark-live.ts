import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import type { Content } from '../chunks/content.ts';
import { nodeIds, type ReadObject } from '../chunks/walk-content.ts';
import { NODE_LEVELS_MAX } from '../format/bounds.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { readTreeEntries } from '../trees/read-tree.ts';
import type { LiveObjects } from './live-objects.ts';

/**
 * Marks everything that manifests refer to. What was marked before in the same role is not walked again, so that
 * a further snapshot costs what is new in it. @throws VERIFY_FAILED, REPO_CORRUPT where anything cannot be read
 */
export class LiveMarker {
  readonly #live: LiveObjects;
  readonly #read: ReadObject;
  readonly #readTree: ReadObject;
  readonly #activity: Activity;

  constructor(live: LiveObjects, read: ReadObject, activity: Activity) {
    this.#live = live;
    this.#read = read;
    this.#activity = activity;
    // Segments of a directory are read along with it.
    this.#readTree = (id) => {
      live.add(id, 'tree');
      return read(id);
    };
  }

  async mark({ roots }: Manifest): Promise<void> {
    for (const { tree } of roots) if (tree !== null) await this.#markTree(tree);
  }

  async #markTree(tree: string): Promise<void> {
    this.#activity.signal.throwIfAborted();
    if (!this.#live.add(tree, 'tree')) return;
    for (const entry of await readTreeEntries(tree, this.#readTree)) {
      if (entry.type === 'directory') await this.#markTree(entry.tree);
      if (entry.type === 'file' || entry.type === 'database')
        await this.#markContent(entry.content);
    }
  }

  async #markContent({ ids, depth }: Content): Promise<void> {
    if (depth > NODE_LEVELS_MAX) {
      throw cannot('REPO_CORRUPT', 'read content', ids[0] ?? '', `depth ${depth}`);
    }
    for (const id of ids) await this.#markObject(id, depth);
  }

  async #markObject(id: string, depth: number): Promise<void> {
    if (depth === 0) {
      this.#live.add(id, 'chunk');
      return;
    }
    if (!this.#live.add(id, depth)) return;
    this.#activity.signal.throwIfAborted();
    for (const child of nodeIds(await this.#read(id), id)) await this.#markObject(child, depth - 1);
  }
}
