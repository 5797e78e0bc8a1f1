import { createHash, type Hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { SourceSettings } from '../config/settings.ts';
import { isSidecarName } from '../sqlite/family.ts';
import { FileSelection, type ListedEntry, type Listing } from './select-files.ts';
import { type SelectedRoot, selectRoots } from './select-roots.ts';
import { rulesOf } from './selection-rules.ts';

/**
 * Folds what `stat` says of every selected file into one value. No file is opened, so the daemon may compute it.
 * What a mere reader changes is left out: `-shm`, `-journal`, an empty `-wal`, times of directories, link counts.
 */
export class FingerprintBuilder {
  readonly #hash: Hash = createHash('sha256');
  #newestChangeNs = 0n;

  addRoot(root: SelectedRoot): void {
    const state = root.stat === null ? 'missing' : (root.sameAs ?? 'present');
    this.#hash.update(`root\0${root.prefix}\0${root.path}\0${state}\n`);
  }

  /** Listings in the order of the walk: a directory first, then those in it by name. */
  addListing(listing: Listing): void {
    const names = new Set(listing.entries.map((entry) => entry.name));
    for (const entry of listing.entries) {
      if (isPassing(entry, names)) continue;
      this.#hash.update(lineOf(entry));
      if (entry.kind !== 'directory') this.#noteTimes(entry.stat);
    }
    if (listing.failure !== null) this.#hash.update(`${listing.failure.reason}\n`);
  }

  digest(): string {
    return this.#hash.digest('hex').slice(0, 32);
  }

  /** The newest time of any file, epoch ms: of its content, or of what else is known of it. */
  get newestChangeMs(): number {
    return Number(this.#newestChangeNs / 1_000_000n);
  }

  #noteTimes({ mtimeNs, ctimeNs }: BigIntStats): void {
    const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
    if (newest > this.#newestChangeNs) this.#newestChangeNs = newest;
  }
}

/** What `stat` says of a source as a whole. */
export interface SourceLook {
  readonly fingerprint: string;
  /** The newest time of any file, epoch ms. */
  readonly newestChangeMs: number;
}

function lineOf({ logicalPath, kind, stat }: ListedEntry): string {
  const fields = [logicalPath, kind, stat.mode, stat.uid, stat.gid];
  if (kind !== 'directory') fields.push(stat.ino, stat.size, stat.mtimeNs);
  return `${fields.join('\0')}\n`;
}

/** True for files that SQLite makes, changes and removes while a database is only read. */
function isPassing(entry: ListedEntry, names: ReadonlySet<string>): boolean {
  const sidecar = isSidecarName(entry.name);
  if (entry.kind !== 'file' || sidecar === null || !names.has(sidecar.main)) return false;
  return sidecar.suffix !== '-wal' || entry.stat.size === 0n;
}

/** The value that `captureSource` writes into a full snapshot's manifest if nothing is written meanwhile. */
export async function sourceFingerprint(
  source: SourceSettings,
  forbiddenPaths: readonly string[],
): Promise<string> {
  return (await lookAtSource(source, forbiddenPaths)).fingerprint;
}

/** The same with times: equal sizes and times alone do not tell two writes within one tick of the clock. */
export async function lookAtSource(
  source: SourceSettings,
  forbiddenPaths: readonly string[],
): Promise<SourceLook> {
  const roots = await selectRoots(source.roots);
  const selection = await FileSelection.create({ ...rulesOf(source), forbiddenPaths, roots });
  const builder = new FingerprintBuilder();
  const visit = async (directory: string, logicalPath: string): Promise<void> => {
    const listing = await selection.list(directory, logicalPath);
    builder.addListing(listing);
    for (const entry of listing.entries) {
      if (entry.kind === 'directory') await visit(entry.path, entry.logicalPath);
    }
  };
  for (const root of roots) {
    builder.addRoot(root);
    if (root.stat !== null && root.sameAs === null) await visit(root.path, root.prefix);
  }
  return { fingerprint: builder.digest(), newestChangeMs: builder.newestChangeMs };
}
