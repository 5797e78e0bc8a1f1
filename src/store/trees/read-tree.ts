import { cannot } from '../../kernel/errors.ts';
import type { ReadObject } from '../chunks/walk-content.ts';
import { SEGMENT_LEVELS_MAX } from '../format/bounds.ts';
import type { Manifest, ManifestRoot } from '../manifests/manifest.ts';
import { compareNames, type TreeEntry } from './tree-entry.ts';
import { parseTree, type TreeSegment } from './tree-schema.ts';

/** Children in name order, segments joined. @throws VERIFY_FAILED, REPO_CORRUPT */
export async function readTreeEntries(tree: string, read: ReadObject): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  await collect(tree, read, entries, 0);
  return entries;
}

async function collect(
  tree: string,
  read: ReadObject,
  entries: TreeEntry[],
  level: number,
): Promise<void> {
  const document = await parseAt(tree, read, level);
  if (document.type === 'segments') {
    for (const segment of document.segments) {
      const before = entries.length;
      await collect(segment.tree, read, entries, level + 1);
      assertBegins(segment, entries[before]);
    }
    return;
  }
  for (const entry of document.entries) {
    const last = entries.at(-1);
    if (last !== undefined && compareNames(last.name, entry.name) >= 0) {
      throw cannot('REPO_CORRUPT', 'read tree', tree, `"${entry.name}" stands out of order`);
    }
    entries.push(entry);
  }
}

function assertBegins(segment: TreeSegment, first: TreeEntry | undefined): void {
  if (first?.name === segment.first) return;
  const state = `its segment does not begin with "${segment.first}"`;
  throw cannot('REPO_CORRUPT', 'read tree', segment.tree, state);
}

async function parseAt(tree: string, read: ReadObject, level: number) {
  if (level > SEGMENT_LEVELS_MAX) {
    throw cannot('REPO_CORRUPT', 'read tree', tree, 'its segments are nested too deep');
  }
  return parseTree(tree, await read(tree));
}

/** The child called `name`, reading only the segments on the way to it; null where there is none. */
export async function findChild(
  tree: string,
  name: string,
  read: ReadObject,
): Promise<TreeEntry | null> {
  let at = tree;
  for (let level = 0; ; level += 1) {
    const document = await parseAt(at, read, level);
    if (document.type === 'entries') {
      return document.entries.find((entry) => entry.name === name) ?? null;
    }
    const segment = document.segments.findLast((each) => compareNames(each.first, name) <= 0);
    if (segment === undefined) return null;
    at = segment.tree;
  }
}

/** @throws PATH_NOT_FOUND, NOT_A_DIRECTORY */
export async function findEntryAt(
  manifest: Manifest,
  logicalPath: string,
  read: ReadObject,
): Promise<TreeEntry> {
  const notFound = (): Error =>
    cannot('PATH_NOT_FOUND', 'find', logicalPath, 'the snapshot holds nothing there', {
      hint: 'List the snapshot with "holdfast ls"; paths begin with data/, config/ or extra/<name>/.',
    });
  const root = manifest.roots.find(
    ({ prefix }) => logicalPath === prefix || logicalPath.startsWith(`${prefix}/`),
  );
  const tree = root === undefined ? null : rootTree(manifest, root);
  if (root === undefined || tree === null) throw notFound();
  let entry: TreeEntry = rootEntry(root, tree);
  for (const name of logicalPath.slice(root.prefix.length).split('/')) {
    if (name === '') continue;
    if (entry.type !== 'directory') {
      throw cannot('NOT_A_DIRECTORY', 'find', logicalPath, `"${entry.name}" is a ${entry.type}`);
    }
    const child = await findChild(entry.tree, name, read);
    if (child === null) throw notFound();
    entry = child;
  }
  return entry;
}

/** The tree of a root, or of the root that holds its files; null where it was missing. */
export function rootTree(manifest: Manifest, root: ManifestRoot): string | null {
  if (root.sameAs === null) return root.tree;
  return manifest.roots.find(({ prefix }) => prefix === root.sameAs)?.tree ?? null;
}

/** Roots have no entry of their own: theirs is made up, with the mode a new directory would get. */
function rootEntry(root: ManifestRoot, tree: string): TreeEntry {
  const name = root.prefix.split('/').at(-1)!;
  return { type: 'directory', name, mode: 0o755, uid: 0, gid: 0, mtimeNs: '0', tree };
}
