import { cannot } from '../kernel/errors.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import type { PlacedEntry } from '../store/trees/walk-tree.ts';
import { walkTree } from '../store/trees/walk-tree.ts';

/** Roots whose files are stored under their own prefix, in the order of their prefixes. */
export function storedRoots({ roots }: Manifest): { prefix: string; tree: string }[] {
  return roots
    .flatMap(({ prefix, tree }) => (tree === null ? [] : [{ prefix, tree }]))
    .sort((left, right) => (left.prefix < right.prefix ? -1 : 1));
}

/** Every entry of a snapshot, root by root; behind the path `after`, where one is given. @throws INVALID_PARAMS */
export async function* walkSnapshot(
  reader: StoreReader,
  manifest: Manifest,
  after: string | null,
): AsyncGenerator<PlacedEntry> {
  const read = (tree: string) => reader.readTree(tree);
  const roots = storedRoots(manifest);
  if (after === null) {
    for (const { prefix, tree } of roots) yield* walkTree(read, tree, prefix);
    return;
  }
  const start = roots.findIndex(({ prefix }) => after.startsWith(`${prefix}/`));
  const first = roots[start];
  if (first === undefined) {
    throw cannot('INVALID_PARAMS', 'go on after', after, 'the snapshot has no such root');
  }
  const names = after.slice(first.prefix.length + 1).split('/');
  yield* walkTree(read, first.tree, first.prefix, names);
  for (const { prefix, tree } of roots.slice(start + 1)) yield* walkTree(read, tree, prefix);
}
