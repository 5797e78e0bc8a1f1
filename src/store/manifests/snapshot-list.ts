import { existsSync, readdirSync } from 'node:fs';
import { cannot, HoldfastError } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type Layout, snapshotIdOf } from '../layout.ts';
import type { SnapshotFilter, SnapshotSummary } from '../store.ts';
import { EMPTY_NOTES, isRegular, type Notes } from './manifest.ts';
import { readManifestFileSync } from './manifest-file.ts';
import { newestFirst } from './newest-first.ts';
import { NotesCache } from './notes-cache.ts';
import { decodeSummary, type FixedSummary, summarise, withNotes } from './summary.ts';

const PREFIX_DIGITS_MIN = 4;

/**
 * The snapshots of a repository. Which exist is read from the folder each time, what they are from the
 * catalog or, once, from the manifest; a manifest that cannot be read is no snapshot (`check` reports it).
 */
export class SnapshotList {
  readonly #layout: Layout;
  readonly #catalog: () => Catalog;
  readonly #known = new Map<string, FixedSummary>();
  readonly #notes: NotesCache;
  /** The ids that `#newestFirst` was made of, in the order of the folder. */
  #listed: readonly string[] = [];
  /** As they are without notes. */
  #newestFirst: readonly SnapshotSummary[] = [];
  /** Summaries that were made with these very notes. */
  readonly #made = new WeakMap<Notes, SnapshotSummary>();

  constructor(layout: Layout, catalog: () => Catalog) {
    this.#layout = layout;
    this.#catalog = catalog;
    this.#notes = new NotesCache(layout);
  }

  list(filter: SnapshotFilter = {}): SnapshotSummary[] {
    // Most snapshots have no notes: one listing spares a look for each of thousands.
    const noted = new Set(existsSync(this.#layout.notes) ? idsIn(this.#layout.notes) : []);
    const all = this.#sorted();
    this.#notes.begin();
    const notes = new Map([...noted].map((id) => [id, this.#notes.get(id)]));
    this.#notes.end();
    return all
      .filter(
        (summary) =>
          (filter.sourceId === undefined || summary.sourceId === filter.sourceId) &&
          (filter.origin === undefined || summary.origin === filter.origin) &&
          (filter.goodOnly !== true || summary.good),
      )
      .map((summary) =>
        noted.has(summary.id) ? this.#noted(summary, notes.get(summary.id)!) : summary,
      );
  }

  /** @throws NOT_FOUND, AMBIGUOUS_ID */
  resolve(reference: string, sourceId?: string): string {
    const ids =
      reference === 'latest'
        ? this.#latest(sourceId)
        : this.#sorted()
            .map(({ id }) => id)
            .filter((id) => isPrefix(reference) && id.startsWith(reference));
    if (ids.length === 0 && isPrefix(reference)) ids.push(...this.#formerly(reference));
    if (ids.length === 1) return ids[0]!;
    if (ids.length > 1) {
      throw cannot(
        'AMBIGUOUS_ID',
        'choose snapshot',
        reference,
        `${ids.length} ids begin with it`,
        {
          hint: 'Give more digits of the id.',
          details: { ids: ids.slice(0, 10) },
        },
      );
    }
    const state = reference === 'latest' ? 'there is no snapshot yet' : 'no snapshot has this id';
    throw cannot('NOT_FOUND', 'choose snapshot', reference, state, {
      hint: `Give an id, at least ${PREFIX_DIGITS_MIN} of its first digits, or "latest".`,
    });
  }

  /** By the ids that they had before the repository was converted. */
  #formerly(reference: string): string[] {
    const standing = new Set(this.#sorted().map(({ id }) => id));
    this.#notes.begin();
    const found = idsIn(this.#layout.notes).filter((id) => {
      if (!standing.has(id)) return false;
      const { formerIds = [] } = this.#notes.get(id) ?? EMPTY_NOTES;
      return formerIds.some((former) => former.startsWith(reference));
    });
    this.#notes.end();
    return found;
  }

  #latest(sourceId: string | undefined): string[] {
    const summaries = this.#sorted().filter(
      (summary) => isRegular(summary) && (sourceId === undefined || summary.sourceId === sourceId),
    );
    return summaries.slice(0, 1).map(({ id }) => id);
  }

  /** Newest first. */
  #sorted(): readonly SnapshotSummary[] {
    const ids = listSnapshotIds(this.#layout);
    if (!sameList(ids, this.#listed)) {
      const fixed = newestFirst(this.#fixed(ids));
      this.#newestFirst = fixed.map((summary) => withNotes(summary, EMPTY_NOTES));
      // One that could not be read may be readable the next time.
      this.#listed = this.#newestFirst.length === ids.length ? ids : [];
    }
    return this.#newestFirst;
  }

  #noted(summary: SnapshotSummary, notes: Notes | null): SnapshotSummary {
    const known = notes === null ? undefined : this.#made.get(notes);
    if (known?.id === summary.id) return known;
    const made = withNotes(summary, notes);
    if (notes !== null) this.#made.set(notes, made);
    return made;
  }

  #fixed(ids: readonly string[]): FixedSummary[] {
    if (ids.some((id) => !this.#known.has(id))) this.#learnFromCatalog();
    return ids.flatMap((id) => this.#known.get(id) ?? this.#learnFromManifest(id) ?? []);
  }

  #learnFromCatalog(): void {
    let summaries: Map<string, string>;
    try {
      summaries = this.#catalog().summaries();
    } catch {
      // A damaged catalog: the manifests say the same.
      return;
    }
    for (const [id, json] of summaries) {
      if (this.#known.has(id)) continue;
      const summary = decodeSummary(this.#layout, id, json);
      if (summary !== null) this.#known.set(id, summary);
    }
  }

  #learnFromManifest(id: string): FixedSummary | null {
    try {
      const summary = summarise(id, readManifestFileSync(this.#layout, id));
      this.#known.set(id, summary);
      return summary;
    } catch (error) {
      if (error instanceof HoldfastError) return null;
      throw error;
    }
  }
}

export function listSnapshotIds(layout: Layout): string[] {
  return idsIn(layout.snapshots);
}

function idsIn(directory: string): string[] {
  return readdirSync(directory).flatMap((file) => snapshotIdOf(file) ?? []);
}

const isPrefix = (reference: string): boolean =>
  /^[0-9a-f]+$/.test(reference) && reference.length >= PREFIX_DIGITS_MIN;

const sameList = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((id, index) => id === right[index]);
