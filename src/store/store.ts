import type { Activity } from '../kernel/activity.ts';
import type { Content } from './chunks/content.ts';
import type { ReadBlock } from './chunks/read-blocks.ts';
import type { HeadFinding } from './head/compare-head.ts';
import type { HeadMark } from './head/head.ts';
import type { Manifest, Notes, SnapshotOrigin, SnapshotType } from './manifests/manifest.ts';
import type { TreeEntry } from './trees/tree-entry.ts';

/** The one door of the repository: everything outside `store/` holds one of these two. */

export interface SnapshotSummary {
  readonly id: string;
  readonly shortId: string;
  readonly sourceId: string;
  readonly sourceName: string;
  readonly type: SnapshotType;
  readonly origin: SnapshotOrigin;
  readonly reason: string | null;
  readonly parent: string | null;
  /** ISO UTC: the snapshot's moment. */
  readonly capturedAt: string;
  readonly totalBytes: number;
  readonly addedBytes: number;
  readonly files: number;
  readonly databases: number;
  /** Every database passed its check at capture. */
  readonly good: boolean;
  readonly tags: readonly string[];
  readonly pinned: boolean;
  /** The newest verification in the notes. */
  readonly verifiedAt: string | null;
  readonly verifiedLevel: 'shallow' | 'deep' | 'drill' | null;
  readonly verifiedOk: boolean | null;
  /** Never serves automatic recovery: docs/format.md, Notes. */
  readonly resealed: boolean;
}

export interface SnapshotFilter {
  readonly sourceId?: string;
  readonly origin?: SnapshotOrigin;
  readonly goodOnly?: boolean;
}

export interface RepositoryStatistics {
  readonly repositoryId: string;
  readonly path: string;
  readonly snapshots: number;
  readonly packs: number;
  readonly packBytes: number;
  readonly chunks: number;
  readonly deltaChunks: number;
  /** Sum of the plaintext of distinct chunks. */
  readonly uniqueBytes: number;
  /** Sum of `totalBytes` over snapshots: what plain copies would take. */
  readonly rawBytes: number;
  readonly encrypted: boolean;
}

export interface StoreReader {
  readonly path: string;
  readonly repositoryId: string;
  /** Newest first by `capturedAt`, then id; a snapshot never below the one it was measured against. */
  listSnapshots(filter?: SnapshotFilter): SnapshotSummary[];
  /**
   * A full id from an id, a unique prefix of at least 4 hex digits, or `latest` (of `sourceId`, where given):
   * the newest that was not taken merely to keep what a restore or migration was about to replace.
   * @throws NOT_FOUND, AMBIGUOUS_ID
   */
  resolveSnapshot(reference: string, sourceId?: string): string;
  /** @throws NOT_FOUND, VERIFY_FAILED when the bytes do not hash to the id */
  readManifest(id: string): Promise<Manifest>;
  readNotes(id: string): Promise<Notes>;
  /** Children in name order. @throws VERIFY_FAILED, REPO_CORRUPT */
  readTree(tree: string): Promise<TreeEntry[]>;
  /** The entry at a logical path (`data/app.db`), root directories included. @throws PATH_NOT_FOUND, NOT_A_DIRECTORY */
  findEntry(manifest: Manifest, logicalPath: string): Promise<TreeEntry>;
  /** Plaintext in order, each buffer hashed against its chunk id before it is handed out. @throws VERIFY_FAILED, REPO_CORRUPT */
  readContent(content: Content): AsyncIterable<Buffer>;
  /** The same in larger pieces, each lent until it is released. */
  readBlocks(content: Content): AsyncIterable<ReadBlock>;
  /** Ids of the data chunks in order, nodes unfolded. */
  chunkIds(content: Content): AsyncIterable<string>;
  /** One verified chunk of plaintext. */
  readChunk(id: string): Promise<Buffer>;
  /** Whether a record of this object is known, without reading it. */
  holds(id: string): Promise<boolean>;
  statistics(): RepositoryStatistics;
  /**
   * What stands otherwise in an encrypted repository than its writers left it, or than it was when it was last seen;
   * nothing where it is not encrypted.
   */
  compareHead(seen: HeadMark | null): Promise<HeadFinding[]>;
  /** The repository that this encrypted one was made of; null where it is of none. */
  formerId(): Promise<string | null>;
  close(): void;
}

/** Random-access plaintext that a writer chunks; reads never overlap and go forward. */
export interface ContentSource {
  readonly bytes: number;
  /**
   * Exactly `lengthBytes` from `offset`, in `into` where that is given and the source can, else in memory of its own,
   * which must not be changed afterwards. `into` is at least as long.
   */
  read(offset: number, lengthBytes: number, into?: Buffer): Promise<Buffer> | Buffer;
  /** True where these bytes are known to be the parent's at the same place: they are then not read. @default never */
  isAsBefore?(offset: number, lengthBytes: number): boolean;
  /** The id of the chunk at this place where it is known and was stored before: it is then not read. @default none is */
  knownId?(offset: number, lengthBytes: number): string | null;
  /** Hears of each chunk, in order, when it is stored or on its way. */
  onStored?(offset: number, id: string): void;
}

/** Chunks of content only: nodes and trees are not counted, but their bytes are. */
export interface WriterStatistics {
  /** Stored in full. */
  readonly chunksNew: number;
  /** Stored as a delta. */
  readonly chunksDelta: number;
  /** Found in the repository. */
  readonly chunksReused: number;
  readonly addedBytes: number;
}

export interface StoreWriter {
  /** Sees everything committed, and what this writer has written so far. */
  readonly reader: StoreReader;
  /**
   * Stores a file's content, some of it in the background: failures may surface in a later call, at the latest in
   * `commitSnapshot`. `parent` is what stood there in the parent snapshot: chunks that differ from
   * the chunk at the same place become deltas against it where that is clearly smaller.
   */
  writeContent(source: ContentSource, parent: Content | null, activity: Activity): Promise<Content>;
  /**
   * Stores one directory; entries in any order, names unique; what they refer to was written before. Returns the
   * tree id. `parent`, the tree of this directory in the parent snapshot, makes a changed directory cheap to store.
   */
  writeTree(entries: readonly TreeEntry[], parent?: string | null): Promise<string>;
  /** Objects known to be missing or damaged that this writer's snapshots have stored again. */
  readonly healedObjects: number;
  /** True where some of a content is known to be missing or damaged: what it was made of has to be read again. */
  lacks(content: Content): Promise<boolean>;
  /** What this writer has added since it was opened. */
  statistics(): WriterStatistics;
  /**
   * Makes everything durable, verifies what was written (docs/format.md, write ordering), then publishes the
   * manifest. `statistics` is asked for after the last pack is sealed, so that addedBytes is exact.
   */
  commitSnapshot(
    build: (statistics: WriterStatistics) => Manifest,
    activity: Activity,
  ): Promise<{ id: string; manifest: Manifest }>;
  writeNotes(id: string, notes: Notes): Promise<void>;
  /**
   * Removes snapshots, all or none where one is refused: docs/format.md, Removal. Their data stays until a prune.
   * @throws IN_USE naming those that are pinned or leased, NOT_FOUND
   */
  removeSnapshots(ids: readonly string[]): Promise<void>;
  /** Releases the repository lock; uncommitted sealed packs stay as unreferenced data that a retry finds. */
  close(): Promise<void>;
}
