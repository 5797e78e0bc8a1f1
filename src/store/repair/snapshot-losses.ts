import { HoldfastError } from '../../kernel/errors.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import { type Content, NODE_IDS_MAX } from '../chunks/content.ts';
import { nodeIds, type ReadObject } from '../chunks/walk-content.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { readTreeEntries } from '../trees/read-tree.ts';

/** What a snapshot has lost of one file, or of a directory that cannot be listed any more. */
export interface LostPart {
  /** Logical. */
  readonly path: string;
  /** False for a directory: how much was below it is not known. */
  readonly isFile: boolean;
  readonly chunks: number;
  readonly bytes: number;
  /** In order, neighbours joined; the first RANGES_MAX. */
  readonly ranges: readonly { readonly offset: number; readonly lengthBytes: number }[];
}

export interface SnapshotLosses {
  readonly parts: readonly LostPart[];
  /** Some of it stood in a damaged record or pack, lost or not. */
  readonly isTouched: boolean;
}

export interface ObjectFacts {
  /** A sound record of it is there. */
  holds(id: string): boolean;
  /** It stood in a damaged pack. */
  isTouched(id: string): boolean;
  readonly read: ReadObject;
}

const RANGES_MAX = 100;
const SOUND: SnapshotLosses = { parts: [], isTouched: false };

/** Tells what of snapshots is lost. Directories that several share are walked once. */
export class LossFinder {
  readonly #facts: ObjectFacts;
  /** By tree, paths below it. */
  readonly #known = new Map<string, SnapshotLosses>();

  constructor(facts: ObjectFacts) {
    this.#facts = facts;
  }

  async of({ roots }: Manifest): Promise<SnapshotLosses> {
    const found: SnapshotLosses[] = [];
    for (const { prefix, tree } of roots) {
      if (tree !== null) found.push(below(prefix, await this.#tree(tree)));
    }
    return together(found);
  }

  async #tree(tree: string): Promise<SnapshotLosses> {
    const known = this.#known.get(tree);
    if (known !== undefined) return known;
    const losses = await this.#losses(tree);
    this.#known.set(tree, losses);
    return losses;
  }

  async #losses(tree: string): Promise<SnapshotLosses> {
    let isTouched = false;
    const read = (id: string): Promise<Buffer> => {
      isTouched ||= this.#facts.isTouched(id);
      return this.#facts.read(id);
    };
    const entries = await orLost(() => readTreeEntries(tree, read));
    if (entries === null) {
      const directory = { path: '', isFile: false, chunks: 0, bytes: 0, ranges: [] };
      return { parts: [directory], isTouched: true };
    }
    const found: SnapshotLosses[] = [{ parts: [], isTouched }];
    for (const entry of entries) {
      if (entry.type === 'directory') found.push(below(entry.name, await this.#tree(entry.tree)));
      if (entry.type === 'file' || entry.type === 'database') {
        found.push(await this.#file(entry.name, entry.content));
      }
    }
    return together(found);
  }

  async #file(path: string, content: Content): Promise<SnapshotLosses> {
    const walk = new ContentLosses(this.#facts, content.bytes);
    for (const id of content.ids) await walk.object(id, content.depth);
    const { chunks, bytes, ranges, isTouched } = walk;
    if (chunks === 0) return isTouched ? { parts: [], isTouched } : SOUND;
    return { parts: [{ path, isFile: true, chunks, bytes, ranges }], isTouched: true };
  }
}

class ContentLosses {
  chunks = 0;
  bytes = 0;
  isTouched = false;
  readonly ranges: { offset: number; lengthBytes: number }[] = [];
  readonly #facts: ObjectFacts;
  readonly #totalBytes: number;
  #index = 0;

  constructor(facts: ObjectFacts, totalBytes: number) {
    this.#facts = facts;
    this.#totalBytes = totalBytes;
  }

  async object(id: string, depth: number): Promise<void> {
    this.isTouched ||= this.#facts.isTouched(id);
    if (depth === 0) {
      if (!this.#facts.holds(id)) this.#lose(1);
      this.#index += 1;
      return;
    }
    const children = await orLost(async () => nodeIds(await this.#facts.read(id), id));
    if (children === null) {
      const left = Math.ceil(this.#totalBytes / CHUNK_BYTES) - this.#index;
      const held = Math.max(0, Math.min(NODE_IDS_MAX ** depth, left));
      this.#lose(held);
      this.#index += held;
      return;
    }
    for (const child of children) await this.object(child, depth - 1);
  }

  #lose(chunks: number): void {
    const offset = this.#index * CHUNK_BYTES;
    const lengthBytes = Math.min(chunks * CHUNK_BYTES, this.#totalBytes - offset);
    this.chunks += chunks;
    this.bytes += lengthBytes;
    const last = this.ranges.at(-1);
    if (last !== undefined && last.offset + last.lengthBytes === offset) {
      last.lengthBytes += lengthBytes;
    } else if (this.ranges.length < RANGES_MAX) {
      this.ranges.push({ offset, lengthBytes });
    }
  }
}

/** Null where it is damaged or gone. */
async function orLost<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HoldfastError) return null;
    throw error;
  }
}

function below(name: string, { parts, isTouched }: SnapshotLosses): SnapshotLosses {
  if (parts.length === 0) return isTouched ? { parts, isTouched } : SOUND;
  const within = parts.map((part) => ({
    ...part,
    path: part.path === '' ? name : `${name}/${part.path}`,
  }));
  return { parts: within, isTouched };
}

function together(found: readonly SnapshotLosses[]): SnapshotLosses {
  const isTouched = found.some((each) => each.isTouched);
  return isTouched ? { parts: found.flatMap(({ parts }) => parts), isTouched } : SOUND;
}
