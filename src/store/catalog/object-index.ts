import { statSync } from 'node:fs';
import { type Layout, packPath } from '../layout.ts';
import { readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { Catalog } from './catalog.ts';
import type { Location } from './catalog-schema.ts';
import { listPacks, loadPacks } from './load-packs.ts';

/**
 * Finds records through `catalog.db`, and where that is unusable or contradicted, through the packs' own
 * footers, read into a temporary catalog.
 */
export class ObjectIndex {
  readonly #layout: Layout;
  readonly #repositoryId: string;
  #stored: Catalog | null = null;
  #storedFile: string | null = null;
  #footers: Catalog | null = null;
  #loading: Promise<void> | null = null;
  readonly #isReader: boolean;
  #closed = false;

  private constructor(layout: Layout, repositoryId: string, isReader: boolean) {
    this.#isReader = isReader;
    this.#layout = layout;
    this.#repositoryId = repositoryId;
  }

  /** For readers: opens `catalog.db` read-only, or falls back to the footers. */
  static async open(layout: Layout, repositoryId: string): Promise<ObjectIndex> {
    const index = new ObjectIndex(layout, repositoryId, true);
    if (!index.#openStored()) await index.#loadFooters();
    return index;
  }

  /** For a writer, which reconciled `catalog` and keeps it complete; closing is the writer's business. */
  static over(catalog: Catalog, layout: Layout, repositoryId: string): ObjectIndex {
    const index = new ObjectIndex(layout, repositoryId, false);
    index.#stored = catalog;
    return index;
  }

  /** The catalog that answers: the footers once they were needed. */
  get catalog(): Catalog {
    return this.#footers ?? this.#stored!;
  }

  find(id: string): Location | null {
    try {
      return this.catalog.find(id);
    } catch (error) {
      // A damaged catalog file; a temporary one has no business being damaged.
      if (this.#footers !== null) throw error;
      return null;
    }
  }

  /**
   * Looks again where `find` gave nothing or something that turned out wrong: in a catalog that replaced the
   * one opened, else in the footers of all packs.
   */
  async findAgain(id: string): Promise<Location | null> {
    if (this.#footers === null && this.#reopenReplaced()) {
      const location = this.find(id);
      if (location !== null) return location;
    }
    await this.#loadFooters();
    return this.find(id);
  }

  /** So that nobody is sent to them again: their records are damaged. Returns all that cannot be read now. */
  forget(ids: readonly string[]): string[] {
    this.#footers?.forget(ids);
    return this.#stored?.forget(ids) ?? [];
  }

  close(): void {
    this.#closed = true;
    // A writer's catalog has no #storedFile: it is closed by the writer.
    if (this.#storedFile !== null) this.#stored?.close();
    this.#footers?.close();
  }

  #openStored(): boolean {
    try {
      this.#storedFile = this.#fileIdentity();
      this.#stored = Catalog.open(this.#layout.catalog, this.#repositoryId, 'read');
      return true;
    } catch {
      // Whatever is wrong with it, the footers say the same; a writer rebuilds it.
      this.#storedFile = null;
      return false;
    }
  }

  #reopenReplaced(): boolean {
    const before = this.#storedFile;
    if (before === null || this.#fileIdentity() === before) return false;
    this.#stored?.close();
    return this.#openStored();
  }

  #fileIdentity(): string | null {
    const stat = statSync(this.#layout.catalog, { throwIfNoEntry: false });
    return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
  }

  /** Also adds packs that appeared since they were loaded. */
  async #loadFooters(): Promise<void> {
    this.#loading ??= this.#loadNewFooters().finally(() => {
      this.#loading = null;
    });
    await this.#loading;
  }

  async #loadNewFooters(): Promise<void> {
    // After a prune records may stand elsewhere: only a new index tells.
    const gone = this.#footers !== null && (await hasLostPacks(this.#footers, this.#layout));
    const catalog = gone ? null : this.#footers;
    const index = catalog ?? Catalog.temporary(this.#repositoryId);
    const owner = packOwner(this.#layout, this.#repositoryId);
    const readIndex = (name: string) => readPackIndex(owner, packPath(this.#layout, name));
    await loadPacks(index, this.#layout, readIndex, undefined, { damagedLast: this.#isReader });
    if (gone) this.#footers?.close();
    if (this.#closed) index.close();
    else this.#footers = index;
  }
}

async function hasLostPacks(catalog: Catalog, layout: Layout): Promise<boolean> {
  const present = new Set(await listPacks(layout));
  return catalog.packs().some(({ name }) => !present.has(name));
}
