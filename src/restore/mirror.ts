import { identify } from '../files/entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../files/family-members.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import { isCheckpoint, type Manifest } from '../store/manifests/manifest.ts';
import { looksLikeDatabase } from './compare-target.ts';
import type {
  LiveEntry,
  LiveListing,
  MirroredDirectory,
  PlannedDeletion,
} from './restore-request.ts';

/** What a mirror takes away: whatever the source has now and the snapshot had not. */

/** More is refused: each takes memory, and nobody reads such a plan. */
const DELETIONS_MAX = 1_000_000;

/**
 * Absence is proof only in a snapshot of everything.
 * @throws INVALID_PARAMS
 */
export function refuseUnsureMirror(manifest: Manifest): void {
  const state = isCheckpoint(manifest)
    ? 'the snapshot holds only what a restore was about to replace'
    : manifest.origin === 'import'
      ? 'the snapshot holds only what an archive held'
      : manifest.skippedCount > manifest.skipped.length
        ? 'the snapshot left out more files than it names'
        : null;
  if (state === null) return;
  throw cannot('INVALID_PARAMS', 'mirror snapshot of', manifest.source.name, state, {
    hint: 'Restore it with mode "merge": then nothing is removed.',
  });
}

const sidecarOf = (name: string): string | null => {
  const suffix = SIDECAR_SUFFIXES.find((each) => name.endsWith(each));
  return suffix === undefined ? null : name.slice(0, -suffix.length);
};

class Deletions {
  readonly #listing: LiveListing;
  readonly #activity: Activity;
  /** Left out of the snapshot, so that their absence there says nothing. */
  readonly #skipped: ReadonlySet<string>;
  readonly all: PlannedDeletion[] = [];

  constructor(listing: LiveListing, skipped: readonly string[], activity: Activity) {
    this.#listing = listing;
    this.#skipped = new Set(skipped);
    this.#activity = activity;
  }

  /** Returns true when nothing of the directory stays. */
  async in(directory: string, logicalPath: string, known: ReadonlySet<string>): Promise<boolean> {
    this.#activity.signal.throwIfAborted();
    const { entries, leavesOthers } = await this.#listing.list(directory, logicalPath);
    const names = new Set(entries.map(({ name }) => name));
    let keeps = leavesOthers;
    for (const entry of entries) {
      const main = sidecarOf(entry.name);
      // A sidecar goes and stays with its database.
      if (main !== null && (known.has(main) || names.has(main))) continue;
      if (known.has(entry.name) || this.#skipped.has(entry.logicalPath)) keeps = true;
      else if (!(await this.#add(entry))) keeps = true;
    }
    return !keeps;
  }

  /** Returns true when the entry goes as a whole. */
  async #add(entry: LiveEntry): Promise<boolean> {
    const { path, logicalPath, kind, bytes } = entry;
    if (this.all.length >= DELETIONS_MAX) {
      throw cannot('LIMIT_EXCEEDED', 'mirror', logicalPath, `more than ${DELETIONS_MAX} files`);
    }
    if (kind !== 'directory') {
      const family = kind === 'file' && (await looksLikeDatabase(path));
      const type = family ? 'database' : kind;
      this.#put({ logicalPath, target: path, type, bytes, family, insideDeleted: false });
      return true;
    }
    const first = this.all.length;
    if (!(await this.in(path, logicalPath, new Set()))) return false;
    for (let index = first; index < this.all.length; index++) {
      this.all[index] = { ...this.all[index]!, insideDeleted: true };
    }
    const whole = { logicalPath, target: path, type: 'directory', bytes: 0 } as const;
    this.#put({ ...whole, family: false, insideDeleted: false });
    return true;
  }

  #put(deletion: PlannedDeletion): void {
    this.all.push(deletion);
  }
}

/** Everything below the mirrored directories that the snapshot does not hold; excluded files are not the source's. */
export async function planDeletions(
  mirrored: readonly MirroredDirectory[],
  listing: LiveListing,
  { skipped }: Pick<Manifest, 'skipped'>,
  activity: Activity,
): Promise<PlannedDeletion[]> {
  const left = skipped.map(({ path }) => path);
  const deletions = new Deletions(listing, left, activity);
  for (const { directory, logicalPath, names } of mirrored) {
    if ((await identify(directory))?.kind !== 'directory') continue;
    await deletions.in(directory, logicalPath, new Set(names));
  }
  return deletions.all;
}
