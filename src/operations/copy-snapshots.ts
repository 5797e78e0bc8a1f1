import { createHash } from 'node:crypto';
import type { Activity } from '../kernel/activity.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { shortId } from '../kernel/ids.ts';
import type { Content } from '../store/chunks/content.ts';
import { FORMER_IDS_MAX, type Manifest, type ManifestRoot } from '../store/manifests/manifest.ts';
import type { ContentSource, SnapshotSummary, StoreReader, StoreWriter } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { readableNotes } from './verification-notes.ts';

/** Writes snapshots of one repository into another one, in which the same content has other ids. */

export interface CopiedSnapshots {
  /** Old id → new id; those that were there before included. */
  readonly ids: ReadonlyMap<string, string>;
  readonly copied: number;
  /** Those that cannot be read whole. */
  readonly damaged: readonly { readonly id: string; readonly reason: string }[];
}

export interface CopyOptions {
  /** Each snapshot is found by the id that it had, too. */
  readonly keepIds?: boolean;
}

/** Ids remembered, of contents and trees: some hundred megabytes at most. What is forgotten is read again. */
const IDS_KEPT_MAX = 1_000_000;

/** Oldest first, so that each finds its parent. Stopped and begun again, it goes on after the last one that was copied. */
export async function copySnapshots(
  from: StoreReader,
  to: StoreWriter,
  activity: Activity,
  options: CopyOptions = {},
): Promise<CopiedSnapshots> {
  const copy = new RepositoryCopy(from, to, activity, options);
  const snapshots = from.listSnapshots().reverse();
  const counts = { filesDone: 0, totalFiles: snapshots.length };
  activity.progress({ phase: 'copy', ...counts });
  for (const snapshot of snapshots) {
    activity.signal.throwIfAborted();
    await copy.add(snapshot);
    counts.filesDone += 1;
    activity.progress(counts);
  }
  return copy;
}

class RepositoryCopy implements CopiedSnapshots {
  readonly ids = new Map<string, string>();
  readonly damaged: { id: string; reason: string }[] = [];
  copied = 0;
  readonly #from: StoreReader;
  readonly #to: StoreWriter;
  readonly #activity: Activity;
  readonly #keepsIds: boolean;
  /** What a run before this one has copied, by what no two snapshots have in common. */
  readonly #there: ReadonlyMap<string, string>;
  readonly #trees = new Map<string, string>();
  readonly #contents = new Map<string, Content>();
  #idsKept = 0;

  constructor(from: StoreReader, to: StoreWriter, activity: Activity, options: CopyOptions) {
    this.#keepsIds = options.keepIds === true;
    this.#from = from;
    this.#to = to;
    this.#activity = activity;
    this.#there = new Map(to.reader.listSnapshots().map((each) => [identityOf(each), each.id]));
  }

  async add(snapshot: SnapshotSummary): Promise<void> {
    const { id } = snapshot;
    try {
      const there = this.#there.get(identityOf(snapshot));
      const copied = there ?? (await this.#copy(await this.#from.readManifest(id)));
      await this.#copyNotes(id, copied);
      this.ids.set(id, copied);
    } catch (error) {
      if (!(error instanceof HoldfastError) || !isDamage(error)) throw error;
      this.damaged.push({ id, reason: error.message });
      this.#activity.warn(`Snapshot ${shortId(id)} is not copied: ${error.message}`);
    }
  }

  async #copy(manifest: Manifest): Promise<string> {
    const { addedBytes: before } = this.#to.statistics();
    const previous = await this.#parentOf(manifest);
    const roots: ManifestRoot[] = [];
    for (const root of manifest.roots) {
      const older = previous?.roots.find(({ prefix }) => prefix === root.prefix)?.tree ?? null;
      roots.push({ ...root, tree: root.tree === null ? null : await this.#tree(root.tree, older) });
    }
    const parent = manifest.parent === null ? null : (this.ids.get(manifest.parent) ?? null);
    const { id } = await this.#to.commitSnapshot(({ addedBytes }) => {
      const statistics = { ...manifest.statistics, addedBytes: addedBytes - before };
      return { ...manifest, roots, parent, statistics };
    }, this.#activity);
    this.copied += 1;
    return id;
  }

  /** Only to store what changed as deltas: one that cannot be read costs no more than that. */
  async #parentOf({ parent }: Manifest): Promise<Manifest | null> {
    if (parent === null || !this.ids.has(parent)) return null;
    return this.#from.readManifest(parent).catch(() => null);
  }

  /** `older`: the tree that stood there in the parent, in the old repository. */
  async #tree(tree: string, older: string | null): Promise<string> {
    const known = this.#trees.get(tree);
    if (known !== undefined) return known;
    this.#activity.signal.throwIfAborted();
    const before = older === null ? [] : await this.#from.readTree(older).catch(() => []);
    const olderOf = new Map(before.map((entry) => [entry.name, entry]));
    const entries: TreeEntry[] = [];
    for (const entry of await this.#from.readTree(tree)) {
      entries.push(await this.#entry(entry, olderOf.get(entry.name)));
    }
    const made = await this.#to.writeTree(entries);
    this.#keep(1, () => this.#trees.set(tree, made));
    return made;
  }

  async #entry(entry: TreeEntry, older: TreeEntry | undefined): Promise<TreeEntry> {
    if (entry.type === 'symlink') return entry;
    if (entry.type === 'directory') {
      const tree = older?.type === 'directory' ? older.tree : null;
      return { ...entry, tree: await this.#tree(entry.tree, tree) };
    }
    const hasContent = older?.type === 'file' || older?.type === 'database';
    const base = hasContent ? this.#contents.get(nameOf(older.content)) : undefined;
    return { ...entry, content: await this.#content(entry.content, base ?? null) };
  }

  async #content(content: Content, base: Content | null): Promise<Content> {
    const name = nameOf(content);
    const known = this.#contents.get(name);
    if (known !== undefined) return known;
    const source = sourceOf(this.#from, content);
    const made = await this.#to.writeContent(source, base, this.#activity);
    this.#keep(1 + made.ids.length, () => this.#contents.set(name, made));
    return made;
  }

  #keep(ids: number, set: () => void): void {
    this.#idsKept += ids;
    if (this.#idsKept > IDS_KEPT_MAX) {
      this.#trees.clear();
      this.#contents.clear();
      this.#idsKept = ids;
    }
    set();
  }

  /** Damaged notes count as a pin, here and there. */
  async #copyNotes(from: string, to: string): Promise<void> {
    const notes = await readableNotes(this.#from, from);
    const kept = notes ?? { tags: [], pinned: true, verifications: [] };
    if (this.#keepsIds) {
      const formerIds = [...(kept.formerIds ?? []), from].slice(-FORMER_IDS_MAX);
      await this.#to.writeNotes(to, { ...kept, formerIds });
      return;
    }
    const isEmpty = !kept.pinned && kept.tags.length === 0 && kept.verifications.length === 0;
    if (!isEmpty || kept.resealedAt !== undefined) await this.#to.writeNotes(to, kept);
  }
}

/** Moment, origin and size besides, since a test's or an import's clock may stand still. */
function identityOf(snapshot: SnapshotSummary): string {
  const { sourceId, capturedAt, origin, type, files, totalBytes } = snapshot;
  return JSON.stringify([sourceId, capturedAt, origin, type, files, totalBytes]);
}

function nameOf({ bytes, depth, ids }: Content): string {
  return createHash('sha256').update(`${bytes} ${depth} ${ids.join()}`).digest('base64');
}

const isDamage = ({ code }: HoldfastError): boolean =>
  ['VERIFY_FAILED', 'REPO_CORRUPT', 'UNSUPPORTED_FORMAT'].includes(code);

/** Content of the old repository as what a writer reads: forward, each byte once. */
function sourceOf(reader: StoreReader, content: Content): ContentSource {
  const chunks = reader.readContent(content)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return {
    bytes: content.bytes,
    async read(_offset, lengthBytes) {
      const parts = [rest];
      let length = rest.length;
      while (length < lengthBytes) {
        const next = await chunks.next();
        if (next.done === true) break;
        parts.push(next.value);
        length += next.value.length;
      }
      const all = Buffer.concat(parts);
      rest = all.subarray(lengthBytes);
      return all.subarray(0, lengthBytes);
    },
  };
}
