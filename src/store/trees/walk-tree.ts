import { compareNames, type TreeEntry } from './tree-entry.ts';

/** Children of a tree object in name order. */
export type ReadTree = (tree: string) => Promise<readonly TreeEntry[]>;

export interface PlacedEntry {
  /** Logical path. */
  readonly path: string;
  readonly entry: TreeEntry;
}

/**
 * Everything below a directory, each directory before what is in it. `after`, the names that lead to an entry seen
 * before, makes the walk go on behind it and read nothing that lies wholly before it.
 */
export async function* walkTree(
  read: ReadTree,
  tree: string,
  prefix: string,
  after: readonly string[] = [],
): AsyncGenerator<PlacedEntry> {
  const [seen, ...deeper] = after;
  for (const entry of await read(tree)) {
    const order = seen === undefined ? 1 : compareNames(entry.name, seen);
    if (order < 0) continue;
    const path = `${prefix}/${entry.name}`;
    if (order > 0) yield { path, entry };
    if (entry.type === 'directory') {
      yield* walkTree(read, entry.tree, path, order === 0 ? deeper : []);
    }
  }
}
