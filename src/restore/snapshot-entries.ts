import { checkComponent, checkLogicalPath } from '../files/safe-path.ts';
import { cannot } from '../kernel/errors.ts';
import type { Manifest, ManifestRoot, RootClass } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';

/** Part of a snapshot: a root, or something below it. */
export interface Selection {
  readonly root: ManifestRoot;
  /** Below the root; empty for the root itself. */
  readonly components: readonly string[];
  readonly entry: TreeEntry;
}

/** The roots of the wanted classes that hold files, each once, whatever root they are stored under. */
function wantedRoots(manifest: Manifest, classes: readonly RootClass[]): ManifestRoot[] {
  const roots = new Set<ManifestRoot>();
  for (const root of manifest.roots) {
    if (classes.length > 0 && !classes.includes(root.class)) continue;
    const holder = manifest.roots.find(({ prefix }) => prefix === root.sameAs) ?? root;
    if (holder.tree !== null) roots.add(holder);
  }
  return [...roots];
}

function notFound(path: string, state: string): Error {
  return cannot('PATH_NOT_FOUND', 'restore', path, state, {
    hint: 'List the snapshot with "holdfast ls"; paths begin with data/, config/ or extra/<name>/.',
  });
}

async function selectPath(
  reader: StoreReader,
  manifest: Manifest,
  roots: readonly ManifestRoot[],
  logicalPath: string,
): Promise<Selection> {
  const path = logicalPath.replace(/\/$/, '');
  checkLogicalPath(path);
  const named = manifest.roots.find(
    ({ prefix }) => path === prefix || path.startsWith(`${prefix}/`),
  );
  const root = roots.find(({ prefix }) => prefix === (named?.sameAs ?? named?.prefix));
  if (named === undefined || root === undefined) {
    throw notFound(path, 'the snapshot, or the part of it that was asked for, holds nothing there');
  }
  const rest = path.slice(named.prefix.length + 1);
  const entry = await reader.findEntry(manifest, path);
  return { root, components: rest === '' ? [] : rest.split('/'), entry };
}

const isBelow = (inner: Selection, outer: Selection): boolean =>
  inner.root === outer.root &&
  inner.components.length >= outer.components.length &&
  outer.components.every((component, index) => component === inner.components[index]);

/**
 * What a restore of these classes and paths brings back; nothing is named twice.
 * @throws PATH_NOT_FOUND for a path the snapshot does not hold, PATH_UNSAFE for one that is no plain path
 */
export async function selectEntries(
  reader: StoreReader,
  manifest: Manifest,
  classes: readonly RootClass[],
  paths: readonly string[],
): Promise<Selection[]> {
  const roots = wantedRoots(manifest, classes);
  if (roots.length === 0) {
    throw notFound(classes.join(', ') || 'snapshot', 'the snapshot holds no such files');
  }
  const selections: Selection[] = [];
  if (paths.length === 0) {
    for (const root of roots) {
      const entry = await reader.findEntry(manifest, root.prefix);
      selections.push({ root, components: [], entry });
    }
    return selections;
  }
  for (const path of paths) selections.push(await selectPath(reader, manifest, roots, path));
  return selections.filter(
    (inner, index) =>
      !selections.some(
        (outer, other) =>
          other !== index && isBelow(inner, outer) && (other < index || !isBelow(outer, inner)),
      ),
  );
}

/** More entries than this are refused whatever the manifest says: each takes memory. */
const ENTRIES_MAX = 10_000_000;

/** Counts what is read from a snapshot against what its manifest declares. */
export class DeclaredLimits {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #entries = 0;
  #bytes = 0;

  constructor({ statistics, roots }: Manifest) {
    const { files, directories, symlinks, databases, totalBytes } = statistics;
    // Root directories may or may not be counted among the directories.
    const declared = files + directories + symlinks + databases + roots.length;
    this.#entriesMax = Math.min(declared, ENTRIES_MAX);
    this.#bytesMax = totalBytes;
  }

  /** @throws LIMIT_EXCEEDED */
  count(entry: TreeEntry, logicalPath: string): void {
    this.#entries += 1;
    if (entry.type === 'file' || entry.type === 'database') this.#bytes += entry.content.bytes;
    if (this.#entries <= this.#entriesMax && this.#bytes <= this.#bytesMax) return;
    throw cannot(
      'LIMIT_EXCEEDED',
      'restore',
      logicalPath,
      'the snapshot holds more than it declares',
      {
        hint: 'Nothing was written. Check the repository.',
        details: { entriesMax: this.#entriesMax, bytesMax: this.#bytesMax },
      },
    );
  }
}

/**
 * The children of a snapshot's directory, names checked.
 * @throws PATH_UNSAFE for a name that is no plain name, or one that occurs twice
 */
export async function readChildren(
  reader: StoreReader,
  tree: string,
  logicalPath: string,
): Promise<TreeEntry[]> {
  const children = await reader.readTree(tree);
  const names = new Set<string>();
  for (const { name } of children) {
    checkComponent(name);
    if (names.has(name)) {
      throw cannot(
        'PATH_UNSAFE',
        'restore',
        `${logicalPath}/${name}`,
        'the snapshot names it twice',
      );
    }
    names.add(name);
  }
  return children;
}
