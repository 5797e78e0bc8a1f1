/** The JSON document that is a snapshot. Its id is the SHA-256 of its bytes. docs/format.md describes every field. */

export type SnapshotType = 'full' | 'config' | 'data';
export type SnapshotOrigin =
  | 'manual'
  | 'schedule'
  | 'change'
  | 'pre-restore'
  | 'pre-migrate'
  | 'recovery'
  | 'import';
export type RootClass = 'data' | 'config' | 'extra';

export interface ManifestRoot {
  readonly class: RootClass;
  /** Set for class `extra` only. */
  readonly name: string | null;
  /** Logical prefix of everything in it: `data`, `config` or `extra/<name>`. */
  readonly prefix: string;
  /** Where it stood on the host: real, absolute. */
  readonly path: string;
  /** Tree object of the root directory; null when the root was missing or is stored under another root. */
  readonly tree: string | null;
  /** The prefix of the root that holds this one's files, when both name the same directory. */
  readonly sameAs: string | null;
  readonly missing: boolean;
}

export interface DatabaseCheck {
  readonly level: 'quick' | 'full';
  readonly ok: boolean;
  /** What the check said, bounded; empty when ok. */
  readonly messages: readonly string[];
  readonly durationMs: number;
  readonly at: string;
}

/** Where the image stands in the write-ahead log of its database: sqlite/log-position.ts. */
export interface ManifestLogPosition {
  /** Of the host: nothing is concluded beyond one run of its kernel. */
  readonly bootId: string;
  readonly device: string;
  readonly inode: string;
  readonly mtimeNs: string;
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly salts: string;
  readonly frame: number;
  readonly checksum: string;
  readonly backfilled: number;
}

/** How the image was read. */
export interface ManifestReading {
  /** When every page of it was last read: what the log proved to be unchanged since then was taken from the parent. */
  readonly scannedAt: string;
  /** When a full reading found changes that the log had not told of: from then on all of it is always read. */
  readonly contradictedAt: string | null;
  /** Null where the log says nothing. */
  readonly log: ManifestLogPosition | null;
}

export interface LogGrowth {
  /** Length of the log when it was first pinned. */
  readonly bytesBefore: number;
  /** When it was let go. */
  readonly bytesAfter: number;
  /** How often it was let go meanwhile so that a checkpoint could shorten the log. */
  readonly retries: number;
}

export interface ManifestDatabase {
  /** Logical path, e.g. `data/app.db`. */
  readonly path: string;
  readonly journalMode: 'wal' | 'rollback';
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly encoding: 'UTF-8' | 'UTF-16le' | 'UTF-16be';
  readonly autoVacuum: boolean;
  readonly userVersion: number;
  readonly applicationId: number;
  readonly schemaCookie: number;
  readonly changeCounter: number;
  /** Bytes of `-wal` at the moment of capture; 0 without one. */
  readonly walBytes: number;
  /** `sqlite/fingerprint.ts`: equal fingerprints mean nothing was written in between. */
  readonly fingerprint: string;
  readonly check: DatabaseCheck;
  /** `pinned`: read under a read transaction; `copied`: family copied aside, then read; `unchanged`: taken from the parent. */
  readonly method: 'pinned' | 'copied' | 'unchanged';
  /** Absent where the next snapshot has nothing to go by. */
  readonly reading?: ManifestReading | undefined;
  /** Of its write-ahead log while it was read; absent where it has none. */
  readonly logGrowth?: LogGrowth | undefined;
}

export type SkipReason =
  | 'excluded'
  | 'own-files'
  | 'special-file'
  | 'unreadable'
  | 'vanished'
  | 'name-not-utf8'
  | 'database-sidecar'
  | 'other-root'
  | 'path-too-long'
  | 'not-included'
  | 'too-large';

export interface SkipRecord {
  readonly path: string;
  readonly reason: SkipReason;
  readonly message?: string;
}

/** How a plugin did. */
export interface PluginRecord {
  readonly name: string;
  /** False: what it should have collected is not in the snapshot. */
  readonly ok: boolean;
  readonly files: number;
}

/** Tells whether a key at hand is the one that the snapshot's data was written with. */
export interface KeyFingerprint {
  readonly name: string;
  /** 16 hex digits; null: the key could not be read. */
  readonly fingerprint: string | null;
}

/** Lines of the logs in a snapshot. */
export interface LineCounts {
  readonly files: number;
  readonly lines: number;
  /** Files whose last line is not ended. */
  readonly partial: number;
  /** The first 1,000 of them. */
  readonly items: readonly {
    readonly path: string;
    readonly lines: number;
    readonly partial: boolean;
  }[];
}

export interface SnapshotStatistics {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly databases: number;
  /** Plaintext bytes the snapshot stands for. */
  readonly totalBytes: number;
  /** Bytes actually read from the source. */
  readonly readBytes: number;
  readonly chunksNew: number;
  readonly chunksDelta: number;
  readonly chunksReused: number;
  /** Bytes added to packs, record headers and footers included; the manifest itself excluded. */
  readonly addedBytes: number;
}

export interface Manifest {
  readonly format: 1;
  readonly type: SnapshotType;
  readonly origin: SnapshotOrigin;
  readonly reason: string | null;
  readonly source: { readonly id: string; readonly name: string };
  readonly host: { readonly name: string; readonly os: string; readonly arch: string };
  readonly tool: { readonly name: 'holdfast'; readonly version: string };
  readonly jobId: string | null;
  readonly parent: string | null;
  readonly startedAt: string;
  /** The snapshot's moment: when the first database was pinned, or the first file read. */
  readonly capturedAt: string;
  readonly finishedAt: string;
  /** From `capturedAt` to the last file read. */
  readonly skewMs: number;
  readonly roots: readonly ManifestRoot[];
  readonly databases: readonly ManifestDatabase[];
  readonly skipped: readonly SkipRecord[];
  /** All skips, also those beyond the bound of `skipped`. */
  readonly skippedCount: number;
  /** How many for each reason; absent in snapshots of before. */
  readonly skippedByReason?: Readonly<Partial<Record<SkipReason, number>>> | undefined;
  /** What is no fault, but worth knowing; absent in snapshots of before. */
  readonly notes?: readonly string[] | undefined;
  /** What plugins gave; absent where there were none. */
  readonly plugins?: readonly PluginRecord[] | undefined;
  /** Keys that the application needs beside its data: never the keys themselves. */
  readonly keys?: readonly KeyFingerprint[] | undefined;
  /** Absent where the source has no logs that are counted. */
  readonly lineCounts?: LineCounts | undefined;
  readonly changedWhileReading: readonly string[];
  readonly warnings: readonly string[];
  /** `triggers` compare it to notice changes made while the daemon was down. */
  readonly sourceFingerprint: string;
  readonly statistics: SnapshotStatistics;
}

export interface VerificationNote {
  readonly at: string;
  readonly level: 'shallow' | 'deep' | 'drill';
  readonly ok: boolean;
  readonly findings: readonly string[];
  /** How long it took; of drills alone. */
  readonly durationMs?: number | undefined;
}

/** The little that may change about a snapshot, replaced atomically as a whole. */
export interface Notes {
  readonly tags: readonly string[];
  readonly pinned: boolean;
  /** When a person had damaged notes replaced, or a failure struck out: such a snapshot never serves automatic recovery. */
  readonly resealedAt?: string | undefined;
  readonly verifications: readonly VerificationNote[];
  /** Ids that it had before the repository was converted, oldest first: it is still found by them. */
  readonly formerIds?: readonly string[] | undefined;
}

export const FORMER_IDS_MAX = 16;

export const EMPTY_NOTES: Notes = { tags: [], pinned: false, verifications: [] };

/** Taken to keep what was about to be replaced: it holds that alone, and is never meant by `latest`. */
export function isCheckpoint({ origin }: Pick<Manifest, 'origin'>): boolean {
  return origin === 'pre-restore' || origin === 'pre-migrate';
}

/** Taken of the source as it stood: what `latest` means, what recovery and drills go by, what the next one is measured against. */
export function isRegular(snapshot: Pick<Manifest, 'origin'>): boolean {
  return snapshot.origin !== 'import' && !isCheckpoint(snapshot);
}

/** A snapshot is good when every database in it passed its check; only good ones may serve recovery. */
export function isGood(manifest: Pick<Manifest, 'databases'>): boolean {
  return manifest.databases.every((database) => database.check.ok);
}
