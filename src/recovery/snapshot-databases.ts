import { relative, sep } from 'node:path';
import { hostPathOf, rootPrefix } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';
import { isInside } from '../files/safe-path.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import { isConstraintOnly } from '../sqlite/integrity-messages.ts';
import { isRegular, type Manifest, type ManifestDatabase } from '../store/manifests/manifest.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import type { DatabaseEntry } from '../store/trees/tree-entry.ts';

/** One database as one snapshot has it. */
export interface DatabaseSnapshot {
  readonly id: string;
  readonly capturedAt: string;
  readonly manifest: Manifest;
  readonly database: ManifestDatabase;
}

/** Every logical path that an absolute one may have: two roots may name the same directory. */
export function logicalPaths(source: SourceSettings, path: string): string[] {
  return source.roots
    .filter((root) => path !== root.path && isInside(path, root.path))
    .map((root) => `${rootPrefix(root)}/${relative(root.path, path).split(sep).join('/')}`);
}

/** A snapshot of a database may serve recovery when its check found the file sound. */
function isSound({ check }: ManifestDatabase): boolean {
  return check.ok || isConstraintOnly(check.messages);
}

const MANIFESTS_READ_MAX = 1_000;

/**
 * The snapshots of one source, newest first, behind them those that failed a verification, each manifest read once and only when it is asked for. Without those
 * that a restore took of what it replaced: somebody had chosen to be rid of that.
 */
export class SnapshotDatabases {
  readonly #reader: StoreReader;
  readonly #source: SourceSettings;
  readonly #warn: (message: string) => void;
  readonly #ids: readonly string[];
  readonly #manifests = new Map<string, Manifest | null>();

  /** @param only the full id of the one snapshot to know of; null: all of the source */
  constructor(
    reader: StoreReader,
    source: SourceSettings,
    warn: (message: string) => void,
    only: string | null = null,
  ) {
    this.#reader = reader;
    this.#source = source;
    this.#warn = warn;
    const summaries = reader
      .listSnapshots({ sourceId: source.id })
      .filter((summary) => isRegular(summary) && !summary.resealed);
    // What is known to have lost something is asked last: it is never the newest one to go by.
    const isRefuted = ({ verifiedOk, verifiedLevel }: SnapshotSummary): boolean =>
      verifiedOk === false && verifiedLevel !== 'drill';
    const ordered = [
      ...summaries.filter((summary) => !isRefuted(summary)),
      ...summaries.filter(isRefuted),
    ];
    const ids = ordered.map(({ id }) => id).slice(0, MANIFESTS_READ_MAX);
    this.#ids = only === null ? ids : [only];
  }

  /** @param id the full id of any snapshot of the source */
  limitedTo(id: string): SnapshotDatabases {
    return new SnapshotDatabases(this.#reader, this.#source, this.#warn, id);
  }

  get newestId(): string | null {
    return this.#ids[0] ?? null;
  }

  async #manifest(id: string): Promise<Manifest | null> {
    const known = this.#manifests.get(id);
    if (known !== undefined) return known;
    const manifest = await this.#reader.readManifest(id).catch((error: unknown) => {
      this.#warn(`Snapshot ${id} is passed over: ${messageOf(error)}`);
      return null;
    });
    this.#manifests.set(id, manifest);
    return manifest;
  }

  /** Absolute paths of the databases in the newest snapshot that has data. */
  async newestPaths(): Promise<string[]> {
    for (const id of this.#ids) {
      const manifest = await this.#manifest(id);
      if (manifest === null || manifest.type === 'config') continue;
      return manifest.databases.flatMap(({ path }) => hostPathOf(this.#source, path) ?? []);
    }
    return [];
  }

  /** Snapshots in which this database passed its check, newest first. */
  async *soundOnes(path: string): AsyncGenerator<DatabaseSnapshot> {
    const logical = new Set(logicalPaths(this.#source, path));
    for (const id of this.#ids) {
      const manifest = await this.#manifest(id);
      const database = manifest?.databases.find((each) => logical.has(each.path));
      if (manifest === null || database === undefined || !isSound(database)) continue;
      yield { id, capturedAt: manifest.capturedAt, manifest, database };
    }
  }

  async newestSound(path: string): Promise<DatabaseSnapshot | null> {
    for await (const snapshot of this.soundOnes(path)) return snapshot;
    return null;
  }

  /** @throws REPO_CORRUPT when the snapshot lists the database but holds no content for it */
  async entryOf(snapshot: DatabaseSnapshot): Promise<DatabaseEntry> {
    const entry = await this.#reader.findEntry(snapshot.manifest, snapshot.database.path);
    if (entry.type === 'database') return entry;
    throw cannot('REPO_CORRUPT', 'read database', snapshot.database.path, `it is a ${entry.type}`, {
      details: { snapshot: snapshot.id },
    });
  }

  get reader(): StoreReader {
    return this.#reader;
  }
}
