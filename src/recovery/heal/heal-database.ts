import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { emptyBtreeRoots } from '../../sqlite/empty-btree-root.ts';
import { type FilePageSource, openPageSource } from '../../sqlite/format/page-source.ts';
import type { DatabaseHeader } from '../../sqlite/header.ts';
import type { ManifestDatabase } from '../../store/manifests/manifest.ts';
import { schemaOf } from '../candidates/settle.ts';
import type { SchemaObject } from '../damage.ts';
import { repairHeader } from './first-page.ts';
import { flattenCopy } from './flatten.ts';
import { readFreelist, unownedPages, writeFreelist } from './free-pages.ts';
import { lostLeafRows } from './lost-leaves.ts';
import { mendTrees, SplicedPages } from './mend.ts';
import { OverlayPages } from './overlay-pages.ts';
import type { SnapshotPages } from './splice.ts';
import { type Survey, surveyTrees } from './survey.ts';
import type { Tree } from './tree-fault.ts';
import { type DatabaseTrees, knownRoots, SCHEMA_TREE, treesOf } from './trees.ts';

/** A damaged database, mended with pages of a snapshot of it. */

export interface HealRequest {
  /** A private copy of the family, made into one mended file. */
  readonly copy: string;
  /** The snapshot's image; it is only read. */
  readonly image: string;
  /** What the snapshot knows of the database. */
  readonly known: ManifestDatabase;
}

export interface Healed {
  readonly spliced: SplicedPages;
  /** Rows on pages that no tree owns any more, although their table may have lost them. */
  readonly doubtfulRows: number;
}

class Healing {
  readonly #request: HealRequest;
  readonly #activity: Activity;
  readonly #snapshot: SnapshotPages;
  readonly #snapshotSchema: readonly SchemaObject[];
  readonly #pageCount: number;
  readonly #spliced = new SplicedPages();
  /** False: what it says of free pages is gone. */
  #isHeaderOwn = true;

  constructor(
    request: HealRequest,
    source: FilePageSource,
    snapshotSchema: readonly SchemaObject[],
    pageCount: number,
    activity: Activity,
  ) {
    this.#request = request;
    this.#activity = activity;
    this.#snapshotSchema = snapshotSchema;
    this.#pageCount = pageCount;
    const { all, lasting } = treesOf(snapshotSchema);
    const { map, faults } = surveyTrees(source, all, activity);
    const fault = faults.find(({ tree }) => lasting.has(tree.root));
    if (fault !== undefined) {
      throw cannot('RECOVERY_FAILED', 'heal from snapshot', request.image, fault.why);
    }
    this.#snapshot = { source, map };
  }

  run(): Healed {
    const { copy } = this.#request;
    const header = this.#withPages((pages) => this.#mendSchema(pages));
    const schema = schemaOf(copy);
    const trees = treesOf(schema);
    const broken: Tree[] = [];
    const doubtfulRows = this.#withPages((pages) => {
      broken.push(...this.#mend(pages, trees, knownRoots(schema, this.#snapshotSchema), header));
      return this.#settleFreePages(pages, trees, broken, header);
    });
    emptyBtreeRoots(
      copy,
      broken.map(({ root, kind }) => ({ rootPage: root, kind })),
    );
    return { spliced: this.#spliced, doubtfulRows };
  }

  /** Nothing may have the copy open through SQLite meanwhile. */
  #withPages<T>(work: (pages: OverlayPages) => T): T {
    const { copy, known } = this.#request;
    const { pageBytes, encoding, autoVacuum } = known;
    const { reservedBytes } = this.#snapshot.source;
    const facts = { pageBytes, encoding, autoVacuum, reservedBytes, pageCount: this.#pageCount };
    const source = openPageSource(copy, { facts });
    try {
      const pages = new OverlayPages(source);
      const result = work(pages);
      pages.save(copy);
      return result;
    } finally {
      source.close();
    }
  }

  #mendSchema(pages: OverlayPages): DatabaseHeader {
    const known = this.#snapshot.source.read(1)!;
    const { page, header, trusted } = repairHeader(pages.read(1)!, known, pages.pageCount);
    pages.replace(1, page);
    this.#isHeaderOwn = trusted;
    const request = {
      live: pages,
      snapshot: this.#snapshot,
      trees: [SCHEMA_TREE],
      lasting: new Set([SCHEMA_TREE.root]),
      known: new Set([SCHEMA_TREE.root]),
      free: readFreelist(pages, header) ?? new Set<number>(),
    };
    mendTrees(request, this.#spliced, this.#activity);
    const { schemaCookie } = this.#request.known;
    if (this.#spliced.pages.size > 0 && trusted && header.schemaCookie !== schemaCookie) {
      throw cannot('RECOVERY_FAILED', 'heal', 'sqlite_schema', 'the schema has changed since');
    }
    return header;
  }

  /** @returns trees that are broken and can be made again */
  #mend(
    live: OverlayPages,
    { all, lasting }: DatabaseTrees,
    known: ReadonlySet<number>,
    header: DatabaseHeader,
  ): Tree[] {
    const free = readFreelist(live, header) ?? new Set<number>();
    const request = { live, snapshot: this.#snapshot, trees: all, lasting, known, free };
    const { faults } = mendTrees(request, this.#spliced, this.#activity);
    return [...new Set(faults.map(({ tree }) => tree))];
  }

  /** Pages that nobody owns are free, and what was lost with them is counted. */
  #settleFreePages(
    pages: OverlayPages,
    { all, lasting }: DatabaseTrees,
    broken: readonly Tree[],
    header: DatabaseHeader,
  ): number {
    const { map } = this.#surveyWithout(pages, all, broken);
    const free = this.#isHeaderOwn ? readFreelist(pages, header) : null;
    const unowned = unownedPages(pages, map);
    const isSound = free !== null && [...free].every((page) => map.placeOf(page) === null);
    if (isSound && free.size === unowned.length) return 0;
    const lost = lostLeafRows({
      live: pages,
      snapshot: this.#snapshot,
      pages: isSound ? unowned.filter((page) => !free.has(page)) : unowned,
      isFreelistKnown: isSound,
      interiorRoots: this.#spliced.interiorRoots,
      derived: new Set(broken.map(({ root }) => root)),
      // Tables that need not be sound are those of full-text indexes.
      hasFullText: all.some(({ root, kind }) => kind === 'table' && !lasting.has(root)),
    });
    writeFreelist(pages, unowned);
    return lost;
  }

  #surveyWithout(pages: OverlayPages, all: readonly Tree[], broken: readonly Tree[]): Survey {
    const without = new Set(broken);
    const sound = all.filter((tree) => !without.has(tree));
    const survey = surveyTrees(pages, sound, this.#activity);
    for (const { name, root } of broken) {
      if (survey.map.claim(root, { root, role: 'leaf', parent: 0 })) continue;
      throw cannot('RECOVERY_FAILED', 'heal', name, `its root page ${root} has two owners`);
    }
    return survey;
  }
}

/**
 * Replaces damaged pages of tables by the same pages of the snapshot, under the rules of `SpliceRules`. Indexes and
 * full-text indexes that are broken are left empty, and have to be rebuilt.
 * @throws RECOVERY_FAILED where that does not do: `state` says why
 */
export async function healDatabase(request: HealRequest, activity: Activity): Promise<Healed> {
  const { copy, image, known } = request;
  const pageCount = await flattenCopy(copy, known);
  const schema = schemaOf(image);
  const source = openPageSource(image, { facts: { pageBytes: known.pageBytes } });
  try {
    return new Healing(request, source, schema, pageCount, activity).run();
  } finally {
    source.close();
  }
}
