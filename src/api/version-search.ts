import type { Clock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { type FoundVersion, versionsIn } from './find-versions.ts';

/** After this long a search answers with what it has, at the end of a snapshot. */
const SEARCH_MS_MAX = 5_000;

/** Where a search goes on: in this snapshot, behind as many of its versions as were told. */
export interface SearchPosition {
  readonly snapshotId: string;
  readonly at: string;
  readonly told: number;
}

export interface VersionSearchOptions {
  readonly reader: StoreReader;
  /** Newest first. */
  readonly snapshots: readonly SnapshotSummary[];
  readonly clock: Clock;
  readonly limit: number;
  readonly position: SearchPosition | null;
  readonly isWanted: (path: string, entry: TreeEntry) => boolean;
}

/** One page of a search through snapshots. */
export class VersionSearch {
  /** At most one more than the limit, which tells that there is more. */
  readonly found: FoundVersion[] = [];
  /** Ids of snapshots that are damaged. */
  readonly unreadable: string[] = [];
  readonly #options: VersionSearchOptions;
  /** The first snapshot that was not looked at; null when all were. */
  #rest: SnapshotSummary | null = null;

  constructor(options: VersionSearchOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { snapshots, clock, limit } = this.#options;
    const endMs = clock.monotonicMs() + SEARCH_MS_MAX;
    const newest = new Map<string, SnapshotSummary>();
    const start = this.#startIndex();
    let looked = 0;
    for (const [index, snapshot] of snapshots.entries()) {
      const newer = newest.get(snapshot.sourceId) ?? null;
      newest.set(snapshot.sourceId, snapshot);
      if (index < start) continue;
      // At least one is looked at, or the search would never end.
      if (looked > 0 && (this.found.length > limit || clock.monotonicMs() > endMs)) {
        this.#rest = snapshot;
        return;
      }
      await this.#look(snapshot, newer);
      looked += 1;
    }
  }

  /** Where the next page begins, if the first `told` of what was found were told; null at the end. */
  next(told: number): SearchPosition | null {
    const cut = this.found[told];
    if (cut === undefined) return this.#rest === null ? null : this.#startOf(this.#rest);
    const { snapshot } = cut;
    const toldOfIt = this.found.slice(0, told).filter((each) => each.snapshot === snapshot).length;
    const start = this.#startOf(snapshot);
    return { ...start, told: this.#toldBefore(snapshot) + toldOfIt };
  }

  #startOf({ id, capturedAt }: SnapshotSummary): SearchPosition {
    return { snapshotId: id, at: capturedAt, told: 0 };
  }

  #toldBefore({ id }: SnapshotSummary): number {
    const { position } = this.#options;
    return position?.snapshotId === id ? position.told : 0;
  }

  /** Of the first snapshot to look at: the one that the last page ended in, or, where it is gone, the next older one. */
  #startIndex(): number {
    const { position, snapshots } = this.#options;
    if (position === null) return 0;
    const found = snapshots.findIndex(({ id }) => id === position.snapshotId);
    if (found !== -1) return found;
    const older = snapshots.findIndex(({ capturedAt }) => capturedAt < position.at);
    return older === -1 ? snapshots.length : older;
  }

  async #look(snapshot: SnapshotSummary, newer: SnapshotSummary | null): Promise<void> {
    const versions =
      (await this.#versions(snapshot, newer)) ??
      // The damage may be in the newer one: then everything in this one is told.
      (newer === null ? null : await this.#versions(snapshot, null));
    if (versions === null) this.unreadable.push(snapshot.id);
    else this.found.push(...versions);
  }

  /** As many as the page has room for, and one more; null where something is damaged. */
  async #versions(
    snapshot: SnapshotSummary,
    newer: SnapshotSummary | null,
  ): Promise<FoundVersion[] | null> {
    const { reader, isWanted, limit } = this.#options;
    const versions: FoundVersion[] = [];
    let skip = this.#toldBefore(snapshot);
    try {
      for await (const version of versionsIn(reader, snapshot, newer, isWanted)) {
        if (skip > 0) skip -= 1;
        else versions.push(version);
        if (this.found.length + versions.length > limit) break;
      }
      return versions;
    } catch (error) {
      if (error instanceof HoldfastError && DAMAGE.has(error.code)) return null;
      throw error;
    }
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['REPO_CORRUPT', 'VERIFY_FAILED', 'NOT_FOUND']);
