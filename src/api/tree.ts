import { isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { TreeItem } from '../protocol/method-map.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { HandlersOf } from './handler.ts';
import { pageByPosition } from './pages.ts';
import { snapshotSourceId } from './source-reference.ts';

/** Extra roots are called `extra/<name>`: the directory that holds them is not stored anywhere. */
const EXTRA = 'extra';

export const treeHandlers: HandlersOf<'tree'> = {
  'tree.list': async (params, context) => {
    const reader = await context.openReader();
    const sourceId =
      params.sourceId === undefined
        ? undefined
        : snapshotSourceId(context.settings, reader, params.sourceId);
    const id = reader.resolveSnapshot(params.snapshotId, sourceId);
    const path = normalise(params.path);
    const items = await childrenAt(reader, await reader.readManifest(id), path);
    return pageByPosition(items.sort(directoriesFirst), params, ['tree.list', id, path], toItem);
  },
};

/** Something to list: an entry of a tree, or a root, which has none of its own. */
type Child = TreeEntry | { readonly type: 'root'; readonly name: string };

/** `/data//x/` as `data/x`. @throws PATH_UNSAFE */
function normalise(path: string): string {
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => name === '.' || name === '..')) {
    throw cannot('PATH_UNSAFE', 'list', path, 'it has components that are not names', {
      hint: 'Paths inside a snapshot begin at its root, for example data/app.',
    });
  }
  return names.join('/');
}

async function childrenAt(reader: StoreReader, manifest: Manifest, path: string): Promise<Child[]> {
  const prefixes = manifest.roots
    .filter(({ tree, sameAs }) => tree !== null || sameAs !== null)
    .map(({ prefix }) => prefix);
  const extra = prefixes.filter((prefix) => prefix.startsWith(`${EXTRA}/`));
  const asRoot = (name: string): Child => ({ type: 'root', name });
  if (path === '') {
    const names = prefixes.map((prefix) => prefix.split('/')[0]!);
    return [...new Set(names)].map(asRoot);
  }
  if (path === EXTRA && extra.length > 0) {
    return extra.map((prefix) => asRoot(prefix.slice(EXTRA.length + 1)));
  }
  const entry = await reader.findEntry(manifest, path);
  if (entry.type !== 'directory') {
    throw cannot('NOT_A_DIRECTORY', 'list', path, `it is a ${entry.type}`);
  }
  return reader.readTree(entry.tree);
}

function directoriesFirst(left: Child, right: Child): number {
  const rank = ({ type }: Child): number => (type === 'directory' || type === 'root' ? 0 : 1);
  return (
    rank(left) - rank(right) || Buffer.compare(Buffer.from(left.name), Buffer.from(right.name))
  );
}

function toItem(child: Child): TreeItem {
  if (child.type !== 'root') return toTreeItem(child);
  return { name: child.name, type: 'directory', bytes: 0, mtime: null, mode: null };
}

export function toTreeItem(child: TreeEntry): TreeItem {
  const { name, mode, mtimeNs } = child;
  const mtime = isoTime(Number(BigInt(mtimeNs) / 1_000_000n));
  const base = { name, type: child.type, bytes: 0, mtime, mode };
  switch (child.type) {
    case 'directory':
      return base;
    case 'symlink':
      return { ...base, linkTarget: child.target };
    case 'database':
      return { ...base, bytes: child.content.bytes };
    case 'file': {
      const { content, changedWhileReading } = child;
      const file = { ...base, bytes: content.bytes };
      return changedWhileReading === true ? { ...file, changedWhileReading } : file;
    }
  }
}
