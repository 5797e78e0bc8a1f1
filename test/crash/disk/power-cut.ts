import { createHash } from 'node:crypto';
import type { Disk } from './disk.ts';
import {
  applyEntry,
  type DataEffect,
  type DirectoryNode,
  type EntryEffect,
  type FileNode,
  type Node,
  withData,
} from './nodes.ts';

/**
 * What a disk may hold after the power went:
 *   kept     everything done so far, as if only the processes had been killed
 *   synced   nothing but what was synced
 *   torn     of what was not synced any part: every change of a directory and every sector of every write for itself
 */
export type CutModel = 'kept' | 'synced' | 'torn';

export type TreeEntry =
  | { readonly kind: 'directory'; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly inode: string;
      readonly mode: number;
      readonly content: Buffer;
    }
  | { readonly kind: 'symlink'; readonly inode: string; readonly target: string };

/** By path below the disk's root, parents before children. */
export type DiskTree = ReadonlyMap<string, TreeEntry>;

const SECTOR_BYTES = 512;

interface Survivors {
  entries(directory: DirectoryNode): ReadonlyMap<string, Node>;
  content(file: FileNode): Buffer;
}

const KEPT: Survivors = { entries: ({ live }) => live, content: ({ live }) => live };
const SYNCED: Survivors = { entries: ({ durable }) => durable, content: ({ durable }) => durable };

/** `random` draws what survives; only the model `torn` uses it. */
export function treeAfterCut(disk: Disk, model: CutModel, random: () => number): DiskTree {
  if (model === 'torn') return treeOf(disk.root, new TornSurvivors(random));
  return treeOf(disk.root, model === 'kept' ? KEPT : SYNCED);
}

function treeOf(root: DirectoryNode, survivors: Survivors): DiskTree {
  const tree = new Map<string, TreeEntry>();
  const walk = (directory: DirectoryNode, prefix: string): void => {
    for (const [name, node] of survivors.entries(directory)) {
      const path = `${prefix}${name}`;
      if (node.kind === 'directory') {
        tree.set(path, { kind: 'directory', mode: node.mode });
        walk(node, `${path}/`);
      } else if (node.kind === 'symlink') {
        tree.set(path, { kind: 'symlink', inode: node.inode, target: node.target });
      } else {
        const { inode, mode } = node;
        tree.set(path, { kind: 'file', inode, mode, content: survivors.content(node) });
      }
    }
  };
  walk(root, '');
  return tree;
}

/** One drawing of what survives. How much of it is drawn first, so that nearly all and nearly nothing are met too. */
class TornSurvivors implements Survivors {
  readonly #random: () => number;
  readonly #entryShare: number;
  readonly #dataShare: number;
  readonly #effects = new Map<EntryEffect, boolean>();
  readonly #contents = new Map<FileNode, Buffer>();

  constructor(random: () => number) {
    this.#random = random;
    this.#entryShare = random();
    this.#dataShare = random();
  }

  entries(directory: DirectoryNode): ReadonlyMap<string, Node> {
    if (directory.pending.length === 0) return directory.durable;
    const entries = new Map(directory.durable);
    for (const effect of directory.pending) {
      if (this.#survives(effect)) applyEntry(entries, effect);
    }
    return entries;
  }

  #survives(effect: EntryEffect): boolean {
    const known = this.#effects.get(effect);
    if (known !== undefined) return known;
    const { after } = effect;
    const isLate = after?.directory.pending.includes(after.effect) === true;
    const survives =
      this.#random() < this.#entryShare && (!isLate || this.#survives(after!.effect));
    this.#effects.set(effect, survives);
    return survives;
  }

  content(file: FileNode): Buffer {
    const known = this.#contents.get(file);
    if (known !== undefined) return known;
    let content = file.durable;
    for (const effect of file.pending) content = this.#torn(content, effect);
    this.#contents.set(file, content);
    return content;
  }

  #torn(content: Buffer, effect: DataEffect): Buffer {
    if ('size' in effect) {
      return this.#random() < this.#dataShare ? withData(content, effect) : content;
    }
    const { offset, bytes } = effect;
    const sectors: (readonly [number, number])[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
      if (this.#random() < this.#dataShare) sectors.push([at, end]);
      at = end;
    }
    if (sectors.length === 0) return content;
    // Of a file that grew, what lies between sectors that survived reads as zeros.
    const torn = Buffer.alloc(Math.max(content.length, offset + sectors.at(-1)![1]));
    content.copy(torn);
    for (const [at, end] of sectors) bytes.copy(torn, offset + at, at, end);
    return torn;
  }
}

/** Two trees of one disk with equal digests are equal. */
export function treeDigest(tree: DiskTree): string {
  const hash = createHash('sha256');
  for (const path of [...tree.keys()].sort()) {
    const entry = tree.get(path)!;
    hash.update(`${path}\0${entry.kind}\0`);
    if (entry.kind !== 'symlink') hash.update(`${entry.mode}\0`);
    if (entry.kind !== 'directory') hash.update(`${entry.inode}\0`);
    if (entry.kind === 'file') hash.update(`${entry.content.length}\0`).update(entry.content);
  }
  return hash.digest('hex');
}
