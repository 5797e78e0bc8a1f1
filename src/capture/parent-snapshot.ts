import type { BigIntStats } from 'node:fs';
import { HoldfastError } from '../kernel/errors.ts';
import type { Content } from '../store/chunks/content.ts';
import type { Manifest, ManifestDatabase } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import type { FileEntry, TreeEntry } from '../store/trees/tree-entry.ts';

/** File times move in ticks of up to 10 ms: a write within the tick of a read may leave no trace. */
const TICK_MS = 20;

/** Entries of directories kept for the second walk: some tens of megabytes. */
const KEPT_ENTRIES_MAX = 50_000;

const DAMAGE: ReadonlySet<string> = new Set(['VERIFY_FAILED', 'REPO_CORRUPT']);

/** The snapshot that a new one is measured against; of none, everything is new. */
export class ParentSnapshot {
  readonly id: string | null;
  readonly #manifest: Manifest | null;
  readonly #reader: StoreReader;
  readonly #databases: ReadonlyMap<string, ManifestDatabase>;
  readonly #trustedBeforeNs: bigint;
  readonly #onDamage: (message: string) => void;
  readonly #lacks: (content: Content) => Promise<boolean>;
  /** By tree: a capture walks the source twice. */
  readonly #kept = new Map<string, ParentDirectory>();
  #keptEntries = 0;

  /**
   * `onDamage` hears of what cannot be read of it: that part is then captured as if it were new. So is any file of
   * which the repository `lacks` something: its bytes are read again, and what is missing is stored again.
   */
  constructor(
    reader: StoreReader,
    parent: { id: string; manifest: Manifest } | null,
    onDamage: (message: string) => void,
    lacks: (content: Content) => Promise<boolean> = async () => false,
  ) {
    this.#onDamage = onDamage;
    this.#lacks = lacks;
    this.id = parent?.id ?? null;
    this.#manifest = parent?.manifest ?? null;
    this.#reader = reader;
    this.#databases = new Map(this.#manifest?.databases.map((each) => [each.path, each]) ?? []);
    const capturedAtMs = this.#manifest === null ? 0 : Date.parse(this.#manifest.capturedAt);
    this.#trustedBeforeNs = BigInt(capturedAtMs - TICK_MS) * 1_000_000n;
  }

  get databases(): Iterable<ManifestDatabase> {
    return this.#databases.values();
  }

  database(logicalPath: string): ManifestDatabase | undefined {
    return this.#databases.get(logicalPath);
  }

  /** What stood in a root. */
  async root(prefix: string): Promise<ParentDirectory> {
    const roots = this.#manifest?.roots ?? [];
    const root = roots.find((each) => each.prefix === prefix);
    const holder =
      root?.sameAs === null ? root : roots.find((each) => each.prefix === root?.sameAs);
    return this.#directory(holder?.tree ?? null);
  }

  async #directory(tree: string | null): Promise<ParentDirectory> {
    const kept = tree === null ? undefined : this.#kept.get(tree);
    if (kept !== undefined) return kept;
    const entries = tree === null ? null : await this.#entriesOf(tree);
    const found = entries === null ? null : tree;
    const directory = new ParentDirectory(found, entries ?? [], (child) => this.#directory(child));
    if (found !== null && this.#keptEntries < KEPT_ENTRIES_MAX) {
      this.#keptEntries += directory.size;
      this.#kept.set(found, directory);
    }
    return directory;
  }

  /** Null where it is damaged, which must not keep new snapshots from being made. */
  async #entriesOf(tree: string): Promise<TreeEntry[] | null> {
    try {
      return await this.#wholeOnes(await this.#reader.readTree(tree));
    } catch (error) {
      if (!(error instanceof HoldfastError) || !DAMAGE.has(error.code)) throw error;
      this.#onDamage(`The previous snapshot is damaged: ${error.message}`);
      return null;
    }
  }

  async #wholeOnes(entries: TreeEntry[]): Promise<TreeEntry[]> {
    const whole: TreeEntry[] = [];
    for (const entry of entries) {
      const isFile = entry.type === 'file' || entry.type === 'database';
      if (!isFile || !(await this.#lacks(entry.content))) whole.push(entry);
    }
    return whole;
  }

  /**
   * True when the file was not written since the parent read it: same inode, size and times, and those times are
   * old enough that no later write can have the same ones.
   */
  isUnchanged(entry: FileEntry, stat: BigIntStats): boolean {
    return (
      entry.changedWhileReading !== true &&
      BigInt(entry.content.bytes) === stat.size &&
      entry.mtimeNs === String(stat.mtimeNs) &&
      entry.ctimeNs === String(stat.ctimeNs) &&
      entry.inode === String(stat.ino) &&
      stat.ctimeNs < this.#trustedBeforeNs
    );
  }
}

export class ParentDirectory {
  /** Its tree object; null where there was none that can be read. */
  readonly tree: string | null;
  readonly #entries: ReadonlyMap<string, TreeEntry>;
  readonly #open: (tree: string | null) => Promise<ParentDirectory>;

  constructor(
    tree: string | null,
    entries: readonly TreeEntry[],
    open: (tree: string | null) => Promise<ParentDirectory>,
  ) {
    this.tree = tree;
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.#open = open;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** True when these are exactly its entries, none of them made anew. */
  consistsOf(entries: readonly TreeEntry[]): boolean {
    return (
      entries.length === this.#entries.size &&
      entries.every((entry) => this.#entries.get(entry.name) === entry)
    );
  }

  get(name: string): TreeEntry | undefined {
    return this.#entries.get(name);
  }

  async directory(name: string): Promise<ParentDirectory> {
    const entry = this.#entries.get(name);
    return this.#open(entry?.type === 'directory' ? entry.tree : null);
  }
}
