import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import { compareTrees, differenceOf } from '../store/trees/compare-trees.ts';
import { rootTree } from '../store/trees/read-tree.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';

/** A version of a path: as it stands in `snapshot`, and not in the next newer one of the same source. */
export interface FoundVersion {
  readonly snapshot: SnapshotSummary;
  readonly path: string;
  readonly entry: TreeEntry;
}

/**
 * The versions of matching paths in one snapshot that the next newer snapshot of its source does not hold. Only what
 * differs between the two is read. `newer` is null for the newest: then everything is looked at.
 * @throws what damaged manifests and trees throw
 */
export async function* versionsIn(
  reader: StoreReader,
  snapshot: SnapshotSummary,
  newer: SnapshotSummary | null,
  isWanted: (path: string, entry: TreeEntry) => boolean,
): AsyncGenerator<FoundVersion> {
  const manifest = await reader.readManifest(snapshot.id);
  const other = newer === null ? null : await reader.readManifest(newer.id);
  const read = (tree: string) => reader.readTree(tree);
  for (const { prefix, tree } of manifest.roots) {
    const root = other?.roots.find((each) => each.prefix === prefix);
    const before = root === undefined ? null : rootTree(other!, root);
    if (tree === null) continue;
    for await (const { path, ...sides } of compareTrees(read, before, tree, prefix)) {
      const entry = sides.after;
      if (entry === null || differenceOf(sides.before, entry) === null) continue;
      if (isWanted(path, entry)) yield { snapshot, path, entry };
    }
  }
}
