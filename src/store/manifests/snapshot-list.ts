import { existsSync, readdirSync } from 'node:fs';
import { cannot, HoldfastError } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type Layout, snapshotIdOf } from '../layout.ts';
import type { SnapshotFilter, SnapshotSummary } from '../store.ts';
import { EMPTY_NOTES, isCheckpoint, type Notes } from './manifest.ts';
import { readManifestFileSync } from './manifest-file.ts';
import { readNotesFile } from './notes-file.ts';
import { compareSummaries, type FixedSummary, summarise, withNotes } from './summary.ts';

const PREFIX_DIGITS_MIN = 4;

/**
 * The snapshots of a repository. Which exist is read from the folder each time, what they are from the
 * catalog or, once, from the manifest; a manifest that cannot be read is no snapshot (`check` reports it).
 */
export class SnapshotList {
  readonly #layout: Layout;
  readonly #catalog: () => Catalog;
  readonly #known = new Map<string, FixedSummary>();

  constructor(layout: Layout, catalog: () => Catalog) {
    this.#layout = layout;
    this.#catalog = catalog;
  }

  list(filter: SnapshotFilter = {}): SnapshotSummary[] {
    // Most snapshots have no notes: one listing spares a look for each of thousands.
    const noted = new Set(existsSync(this.#layout.notes) ? idsIn(this.#layout.notes) : []);
    return this.#fixed()
      .filter(
        (summary) =>
          (filter.sourceId === undefined || summary.sourceId === filter.sourceId) &&
          (filter.origin === undefined || summary.origin === filter.origin) &&
          (filter.goodOnly !== true || summary.good),
      )
      .sort(compareSummaries)
      .map((summary) =>
        withNotes(summary, noted.has(summary.id) ? this.#notes(summary.id) : EMPTY_NOTES),
      );
  }

  /** @throws NOT_FOUND, AMBIGUOUS_ID */
  resolve(reference: string, sourceId?: string): string {
    const ids =
      reference === 'latest'
        ? this.#latest(sourceId)
        : this.#fixed()
            .map(({ id }) => id)
            .filter((id) => isPrefix(reference) && id.startsWith(reference));
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

  #latest(sourceId: string | undefined): string[] {
    const summaries = this.#fixed().filter(
      (summary) =>
        !isCheckpoint(summary) && (sourceId === undefined || summary.sourceId === sourceId),
    );
    return summaries
      .sort(compareSummaries)
      .slice(0, 1)
      .map(({ id }) => id);
  }

  #fixed(): FixedSummary[] {
    const ids = listSnapshotIds(this.#layout);
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
      if (!this.#known.has(id)) this.#known.set(id, JSON.parse(json) as FixedSummary);
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

  #notes(id: string): Notes | null {
    try {
      return readNotesFile(this.#layout, id);
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
