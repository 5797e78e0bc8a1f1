import { ObjectIndex } from './catalog/object-index.ts';
import type { Content } from './chunks/content.ts';
import { type DamageListener, ObjectReader, type PendingObjects } from './chunks/object-reader.ts';
import { type ReadBlock, readBlocksOf } from './chunks/read-blocks.ts';
import { readContentOf } from './chunks/read-content.ts';
import { chunkIdsOf } from './chunks/walk-content.ts';
import { compareHead, type HeadFinding } from './head/compare-head.ts';
import { FolderState } from './head/folder-state.ts';
import type { HeadMark } from './head/head.ts';
import { readHeadBytes } from './head/head-file.ts';
import type { Layout } from './layout.ts';
import type { Manifest, Notes } from './manifests/manifest.ts';
import { readManifestFile } from './manifests/manifest-file.ts';
import { readNotesFile } from './manifests/notes-file.ts';
import { SnapshotList } from './manifests/snapshot-list.ts';
import { PackFiles } from './packs/pack-files.ts';
import type {
  RepositoryStatistics,
  SnapshotFilter,
  SnapshotSummary,
  StoreReader,
} from './store.ts';
import { findEntryAt, readTreeEntries } from './trees/read-tree.ts';
import type { TreeEntry } from './trees/tree-entry.ts';

export class RepositoryReader implements StoreReader {
  readonly path: string;
  readonly repositoryId: string;
  readonly objects: ObjectReader;
  readonly #layout: Layout;
  readonly #index: ObjectIndex;
  readonly #files: PackFiles;
  readonly #snapshots: SnapshotList;
  readonly #folder: FolderState;
  readonly #read = (id: string): Promise<Buffer> => this.objects.read(id);

  constructor(
    layout: Layout,
    repositoryId: string,
    index: ObjectIndex,
    pending: PendingObjects | null = null,
    onDamage: DamageListener | null = null,
  ) {
    this.path = layout.root;
    this.repositoryId = repositoryId;
    this.#layout = layout;
    this.#index = index;
    this.#files = new PackFiles(layout);
    this.objects = new ObjectReader(index, this.#files, layout.keys, pending, onDamage);
    this.#snapshots = new SnapshotList(layout, () => index.catalog);
    this.#folder = new FolderState(layout);
  }

  static async open(layout: Layout, repositoryId: string): Promise<RepositoryReader> {
    const index = await ObjectIndex.open(layout, repositoryId);
    return new RepositoryReader(layout, repositoryId, index);
  }

  listSnapshots(filter?: SnapshotFilter): SnapshotSummary[] {
    return this.#snapshots.list(filter);
  }

  resolveSnapshot(reference: string, sourceId?: string): string {
    return this.#snapshots.resolve(reference, sourceId);
  }

  readManifest(id: string): Promise<Manifest> {
    return readManifestFile(this.#layout, id);
  }

  async readNotes(id: string): Promise<Notes> {
    return readNotesFile(this.#layout, id);
  }

  readTree(tree: string): Promise<TreeEntry[]> {
    return readTreeEntries(tree, this.#read);
  }

  findEntry(manifest: Manifest, logicalPath: string): Promise<TreeEntry> {
    return findEntryAt(manifest, logicalPath, this.#read);
  }

  readContent(content: Content): AsyncIterable<Buffer> {
    return readContentOf(content, this.#read);
  }

  readBlocks(content: Content): AsyncIterable<ReadBlock> {
    return readBlocksOf(content, this.#read, (ids, places) => this.objects.readMany(ids, places));
  }

  chunkIds(content: Content): AsyncIterable<string> {
    return chunkIdsOf(content, this.#read);
  }

  readChunk(id: string): Promise<Buffer> {
    return this.objects.read(id);
  }

  holds(id: string): Promise<boolean> {
    return this.objects.holds(id);
  }

  statistics(): RepositoryStatistics {
    const snapshots = this.listSnapshots();
    return {
      repositoryId: this.repositoryId,
      path: this.path,
      encrypted: this.#layout.keys !== null,
      snapshots: snapshots.length,
      ...this.#index.catalog.counts(),
      rawBytes: snapshots.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
    };
  }

  compareHead(seen: HeadMark | null): Promise<HeadFinding[]> {
    return compareHead(this.#layout, this.repositoryId, seen, this.#folder);
  }

  async formerId(): Promise<string | null> {
    if (this.#layout.keys === null) return null;
    const bytes = await readHeadBytes(this.#layout);
    return this.#folder.head(bytes).head?.formerId ?? null;
  }

  close(): void {
    this.#files.close();
    this.#index.close();
  }
}
