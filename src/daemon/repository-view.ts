import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { isRegular } from '../store/manifests/manifest.ts';
import {
  type HeadFinding,
  type HeadMark,
  type KeyMaterial,
  openReader,
} from '../store/repository.ts';
import type { RepositoryStatistics, SnapshotSummary, StoreReader } from '../store/store.ts';
import type { RepositorySight } from './repository-memory.ts';
import { NO_PROOF, readProof, type SourceProof } from './source-proof.ts';

/** The newest snapshots of one source, from the repository as it was last looked at. */
export interface SourceSnapshots {
  readonly last: SnapshotSummary | null;
  readonly lastGoodAt: string | null;
  readonly lastVerifiedAt: string | null;
  readonly proof: SourceProof;
}

/** A count that takes 10 ms is repeated no sooner than after 10 s. */
const RESTS_PER_MEASURE = 1000;

const NO_SNAPSHOTS: SourceSnapshots = {
  last: null,
  lastGoodAt: null,
  lastVerifiedAt: null,
  proof: NO_PROOF,
};

/**
 * The repository as the daemon sees it: one reader for all, opened when there is something to read, and figures
 * kept in memory so that `status` never waits for a disk.
 */
export class RepositoryView {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #key: () => Promise<KeyMaterial | null>;
  readonly #seenHead: () => Promise<HeadMark | null>;
  #measureAtMs = Number.NEGATIVE_INFINITY;
  #reader: Promise<StoreReader> | null = null;
  /** The description that stood there when it was opened. */
  #opened = '';
  #statistics: RepositoryStatistics | null = null;
  #snapshots = new Map<string, SourceSnapshots>();
  #sight: RepositorySight | null = null;
  #alterations: readonly HeadFinding[] = [];

  /** `key` opens it where it is encrypted; `seenHead` is what was seen of it before. */
  constructor(
    directory: string,
    clock: Clock,
    logger: Logger,
    key: () => Promise<KeyMaterial | null>,
    seenHead: () => Promise<HeadMark | null> = async () => null,
  ) {
    this.#directory = directory;
    this.#key = key;
    this.#seenHead = seenHead;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, KEY_REQUIRED, KEY_WRONG */
  async reader(): Promise<StoreReader> {
    const description = this.#description();
    // Converted meanwhile: what was opened reads what is being removed. Whoever reads from it now still may.
    if (this.#reader !== null && description !== this.#opened) this.#reader = null;
    this.#opened = description;
    this.#reader ??= this.#open().catch((error: unknown) => {
      // Not kept: the next one who asks may find a repository.
      this.#reader = null;
      throw error;
    });
    return this.#reader;
  }

  /** Tells one description of the repository from another. */
  #description(): string {
    const stat = statSync(join(this.#directory, 'holdfast.json'), {
      bigint: true,
      throwIfNoEntry: false,
    });
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
  }

  async #open(): Promise<StoreReader> {
    return openReader(this.#directory, await this.#key());
  }

  get statistics(): RepositoryStatistics | null {
    return this.#statistics;
  }

  /** What the last look found; null where the repository could not be read. */
  get sight(): RepositorySight | null {
    return this.#sight;
  }

  /** What somebody without its key changed in it, as of the last look. */
  get alterations(): readonly HeadFinding[] {
    return this.#alterations;
  }

  snapshotsOf(sourceId: string): SourceSnapshots {
    return this.#snapshots.get(sourceId) ?? NO_SNAPSHOTS;
  }

  /** Looks at the repository again: after boot and after every job that changed it. */
  async refresh(): Promise<void> {
    this.#sight = null;
    if (!existsSync(join(this.#directory, 'holdfast.json'))) return;
    try {
      const reader = await this.reader();
      const snapshots = reader.listSnapshots();
      const { path, repositoryId } = reader;
      // In this order: what writers see meanwhile only moves on.
      const seen = await this.#seenHead();
      this.#alterations = await reader.compareHead(seen);
      this.#sight = { path, repositoryId, snapshots, formerId: await reader.formerId() };
      this.#snapshots = await withProofs(snapshots, reader);
      this.#measure(reader);
      this.#statistics &&= { ...this.#statistics, snapshots: snapshots.length };
    } catch (error) {
      // Whoever reads the repository gets the error itself; here only figures would be missing.
      this.#logger.warn({ error: messageOf(error) }, 'repository cannot be read');
    }
  }

  /** Counting reads the whole catalog, in the daemon's own thread: rests long, measured by what one count takes. */
  #measure(reader: StoreReader): void {
    const startedMs = this.#clock.monotonicMs();
    if (startedMs < this.#measureAtMs) return;
    this.#statistics = reader.statistics();
    const endedMs = this.#clock.monotonicMs();
    this.#measureAtMs = endedMs + (endedMs - startedMs) * RESTS_PER_MEASURE;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) return;
    await reader.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}

async function withProofs(
  all: readonly SnapshotSummary[],
  reader: StoreReader,
): Promise<Map<string, SourceSnapshots>> {
  const newest = newestOfEach(all);
  for (const [sourceId, snapshots] of newest) {
    const own = all.filter((snapshot) => snapshot.sourceId === sourceId);
    newest.set(sourceId, { ...snapshots, proof: await readProof(own, reader) });
  }
  return newest;
}

function newestOfEach(snapshots: readonly SnapshotSummary[]): Map<string, SourceSnapshots> {
  const newest = new Map<string, SourceSnapshots>();
  for (const snapshot of snapshots) {
    const known = newest.get(snapshot.sourceId) ?? NO_SNAPSHOTS;
    const isCounted = isRegular(snapshot);
    newest.set(snapshot.sourceId, {
      last: known.last ?? (isCounted ? snapshot : null),
      // What a restore took of what it replaced is a part, and of a state that somebody left.
      lastGoodAt: known.lastGoodAt ?? (isCounted && snapshot.good ? snapshot.capturedAt : null),
      lastVerifiedAt: later(known.lastVerifiedAt, snapshot),
      proof: known.proof,
    });
  }
  return newest;
}

function later(known: string | null, { verifiedAt, verifiedOk }: SnapshotSummary): string | null {
  if (verifiedOk !== true || verifiedAt === null) return known;
  return known === null || verifiedAt > known ? verifiedAt : known;
}
