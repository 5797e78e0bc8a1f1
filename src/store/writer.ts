import type { ExclusiveLock } from '../files/exclusive-lock.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, HoldfastError } from '../kernel/errors.ts';
import type { Catalog } from './catalog/catalog.ts';
import { ObjectIndex } from './catalog/object-index.ts';
import type { Content } from './chunks/content.ts';
import { ObjectWriter } from './chunks/object-writer.ts';
import { RecordEncoder } from './chunks/record-encoder.ts';
import { nodeIds } from './chunks/walk-content.ts';
import { writeContentTo } from './chunks/write-content.ts';
import { DamageLedger } from './damage/damage-ledger.ts';
import type { RecordCodec, RecordFields } from './format/record.ts';
import { manifestName, notesName } from './head/folder-state.ts';
import { digestOf } from './head/head.ts';
import type { HeadKeeper } from './head/head-keeper.ts';
import { type Layout, manifestPath, notesPath } from './layout.ts';
import type { Manifest, Notes } from './manifests/manifest.ts';
import { encodeManifest } from './manifests/manifest-file.ts';
import { encodeNotes } from './manifests/notes-file.ts';
import { encodeSummary, summarise } from './manifests/summary.ts';
import { packOwner } from './packs/pack-owner.ts';
import { PackWriter } from './packs/pack-writer.ts';
import { publishFile } from './publish-file.ts';
import { RepositoryReader } from './reader.ts';
import { setAsideCatalog } from './reconcile/open-catalog.ts';
import type { ReconcileReport } from './reconcile/reconcile.ts';
import { removeSnapshotFiles } from './removal/remove-snapshots.ts';
import type { ContentSource, StoreWriter, WriterStatistics } from './store.ts';
import type { TreeEntry } from './trees/tree-entry.ts';
import { writeTreeTo } from './trees/write-tree.ts';

export interface WriterParts {
  readonly layout: Layout;
  readonly repositoryId: string;
  readonly catalog: Catalog;
  readonly lock: ExclusiveLock;
  readonly head: HeadKeeper;
  readonly clock: Clock;
  readonly codec: RecordCodec;
  readonly verifyWrites: 'sample' | 'all';
  readonly reconciled: ReconcileReport;
}

/** Every delta, and of full records one in sixteen: ids are hashes, so their first digit draws a fair sample. */
const isSampled = ({ id, base }: RecordFields): boolean => base !== null || id.startsWith('0');

/** For the daemon's own state, the manifest and whoever else writes there: a full disk stops more than snapshots. */
const RESERVED_BYTES = 8 * 1024 * 1024;

export class RepositoryWriter implements StoreWriter {
  readonly reader: RepositoryReader;
  readonly reconciled: ReconcileReport;
  readonly #layout: Layout;
  readonly #catalog: Catalog;
  readonly #lock: ExclusiveLock;
  readonly #head: HeadKeeper;
  readonly #clock: Clock;
  readonly #packs: PackWriter;
  readonly #objects: ObjectWriter;
  readonly #damage: DamageLedger;
  readonly #read = (id: string): Promise<Buffer> => this.reader.readChunk(id);
  #closed = false;

  constructor(parts: WriterParts) {
    const { layout, repositoryId, catalog } = parts;
    this.#layout = layout;
    this.#catalog = catalog;
    this.#lock = parts.lock;
    this.#head = parts.head;
    this.#clock = parts.clock;
    this.reconciled = parts.reconciled;
    this.#packs = new PackWriter({
      layout,
      owner: packOwner(layout, repositoryId),
      catalog,
      verifies: parts.verifyWrites === 'all' ? () => true : isSampled,
      verify: (record) => this.#objects.verify(record),
      reservedBytes: RESERVED_BYTES,
    });
    const index = ObjectIndex.over(catalog, layout, repositoryId);
    this.#damage = new DamageLedger({ layout, repositoryId, catalog, index });
    const pending = {
      pendingRecord: (id: string) => this.#packs.pendingRecord(id),
      pendingPlain: (id: string) => this.#objects.plainInFlight(id),
    };
    this.reader = new RepositoryReader(layout, repositoryId, index, pending, (id, pack) =>
      this.#damage.note(id, pack),
    );
    const encoder = new RecordEncoder(parts.codec, layout.keys);
    this.#objects = new ObjectWriter(this.reader.objects, this.#packs, encoder);
  }

  async writeContent(
    source: ContentSource,
    parent: Content | null,
    activity: Activity,
  ): Promise<Content> {
    return writeContentTo(this.#objects, this.#read, source, parent, activity);
  }

  async writeTree(entries: readonly TreeEntry[], parent: string | null = null): Promise<string> {
    return writeTreeTo(this.#objects, this.#read, entries, parent);
  }

  statistics(): WriterStatistics {
    return { ...this.#objects.counters, addedBytes: this.#packs.addedBytes };
  }

  async commitSnapshot(
    build: (statistics: WriterStatistics) => Manifest,
    activity: Activity,
  ): Promise<{ id: string; manifest: Manifest }> {
    await this.#objects.settle();
    await this.#damage.keep();
    await this.#packs.flush();
    activity.signal.throwIfAborted();
    const manifest = build(this.statistics());
    this.#assertTreesStored(manifest);
    const { id, bytes } = encodeManifest(this.#layout, manifest);
    await this.#head.intend([{ name: manifestName(id), to: '' }]);
    await publishFile(this.#layout, manifestPath(this.#layout, id), bytes);
    this.#catalog.putSnapshot(id, encodeSummary(this.#layout, summarise(id, manifest)));
    await this.#damage.settle();
    return { id, manifest };
  }

  get healedObjects(): number {
    return this.#damage.healed;
  }

  async lacks({ ids, depth }: Content): Promise<boolean> {
    if (!this.#damage.isComplete) return true;
    const { missing } = this.#damage;
    if (missing.size === 0) return false;
    if (ids.some((id) => missing.has(id))) return true;
    if (depth === 0) return false;
    try {
      for (const id of ids) {
        const children = nodeIds(await this.#read(id), id);
        if (await this.lacks({ bytes: 0, depth: depth - 1, ids: children })) return true;
      }
      return false;
    } catch (error) {
      if (error instanceof HoldfastError) return true;
      throw error;
    }
  }

  async writeNotes(id: string, notes: Notes): Promise<void> {
    await this.reader.readManifest(id);
    const bytes = encodeNotes(this.#layout, id, notes);
    await this.#head.intend([{ name: notesName(id), to: digestOf(bytes) }]);
    await publishFile(this.#layout, notesPath(this.#layout, id), bytes);
  }

  async removeSnapshots(ids: readonly string[]): Promise<void> {
    await removeSnapshotFiles(this.#layout, this.#catalog, this.reader, ids, this.#clock, (gone) =>
      this.#head.intend(
        gone.flatMap((id) => [
          { name: manifestName(id), to: null },
          { name: notesName(id), to: null },
        ]),
      ),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Failures of background work were thrown to whoever put something, or will never be committed.
    await this.#objects.idle();
    await this.#packs.idle();
    this.reader.close();
    this.#catalog.close();
    try {
      // What was intended stays said where this fails, and the next writer finds out what came of it.
      await this.#head.settle().catch(() => {});
      // The next writer finds none, and rebuilds it.
      if (this.#catalog.isDamaged) await setAsideCatalog(this.#layout);
    } finally {
      this.#lock.release();
    }
  }

  #assertTreesStored(manifest: Manifest): void {
    const lost = manifest.roots.find(({ tree }) => tree !== null && !this.#objects.has(tree));
    if (lost === undefined) return;
    throw cannot(
      'REPO_CORRUPT',
      'publish snapshot of',
      manifest.source.name,
      `tree of "${lost.prefix}" is not stored`,
    );
  }
}
