import type { BigIntStats } from 'node:fs';
import type { Activity } from '../kernel/activity.ts';
import { startsAsDatabase } from '../sqlite/discover.ts';
import { isSidecarName } from '../sqlite/family.ts';
import { mayBeWholePages } from '../sqlite/header.ts';
import type { Content } from '../store/chunks/content.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { ParentDirectory, ParentSnapshot } from './parent-snapshot.ts';
import type { FileSelection, ListedEntry } from './select-files.ts';
import type { SelectedRoot } from './select-roots.ts';
import { FingerprintBuilder } from './source-fingerprint.ts';

export interface FoundDatabase {
  readonly path: string;
  readonly logicalPath: string;
  readonly stat: BigIntStats;
  /** What stood there in the parent. */
  readonly before: Content | null;
}

export interface Scan {
  readonly databases: readonly FoundDatabase[];
  readonly files: number;
  readonly bytes: number;
  readonly sourceFingerprint: string;
}

/**
 * Walks the roots once to find the databases, since all of them are pinned before anything is read. Every regular
 * file of whole pages is looked at by its first bytes, at any depth, except those that the parent knows as ordinary and
 * unchanged.
 *
 * A file that was a database in the parent counts as one still, even without its header: damage is not to pass as
 * an ordinary file. Looking opens and closes files: no SQLite connection on any of them may be open.
 */
export async function findDatabases(
  roots: readonly SelectedRoot[],
  selection: FileSelection,
  parent: ParentSnapshot,
  activity: Activity,
): Promise<Scan> {
  const fingerprint = new FingerprintBuilder();
  const databases: FoundDatabase[] = [];
  let files = 0;
  let bytes = 0;

  const visit = async (
    directory: string,
    logicalPath: string,
    before: ParentDirectory,
  ): Promise<void> => {
    activity.signal.throwIfAborted();
    const listing = await selection.list(directory, logicalPath);
    fingerprint.addListing(listing);
    const found = new Set<string>();
    for (const entry of listing.entries) {
      if (entry.kind === 'directory') {
        await visit(entry.path, entry.logicalPath, await before.directory(entry.name));
      } else if (entry.kind === 'file') {
        if (isSidecarOf(entry.name, found)) continue;
        files += 1;
        bytes += Number(entry.stat.size);
        if (!isDatabase(entry, before, parent)) continue;
        found.add(entry.name);
        databases.push(foundDatabase(entry, before.get(entry.name)));
      }
    }
  };

  for (const root of roots) {
    fingerprint.addRoot(root);
    if (root.stat === null || root.sameAs !== null) continue;
    await visit(root.path, root.prefix, await parent.root(root.prefix));
  }
  return { databases, files, bytes, sourceFingerprint: fingerprint.digest() };
}

export function foundDatabase(entry: ListedEntry, before: TreeEntry | undefined): FoundDatabase {
  const { path, logicalPath, stat } = entry;
  return { path, logicalPath, stat, before: contentOf(before) };
}

/** The content of a file of either kind; null for anything else. */
export function contentOf(entry: TreeEntry | undefined): Content | null {
  return entry?.type === 'file' || entry?.type === 'database' ? entry.content : null;
}

/** True for a sidecar of one of these databases; a main file always sorts before its sidecars. */
export function isSidecarOf(name: string, databases: ReadonlySet<string>): boolean {
  const sidecar = isSidecarName(name);
  return sidecar !== null && databases.has(sidecar.main);
}

function isDatabase(entry: ListedEntry, before: ParentDirectory, parent: ParentSnapshot): boolean {
  const known = before.get(entry.name);
  if (known?.type === 'database') return true;
  // What the parent's trees cannot tell, because they are damaged or lack some of it, its record of databases does.
  if (known === undefined && parent.database(entry.logicalPath) !== undefined) return true;
  if (known?.type === 'file' && parent.isUnchanged(known, entry.stat)) return false;
  // Most files need not be opened for it. A torn database is found when it is read, as one that came later is.
  return mayBeWholePages(entry.stat.size) && startsAsDatabase(entry.path);
}
