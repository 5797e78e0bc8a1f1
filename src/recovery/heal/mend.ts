import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import type { OverlayPages } from './overlay-pages.ts';
import { cellsOf } from './page-cells.ts';
import { type SnapshotPages, type Splice, SpliceRules } from './splice.ts';
import { type Survey, surveyTrees } from './survey.ts';
import type { Tree, TreeFault } from './tree-fault.ts';

/** Pages come back level by level, and what is below one can be seen in the next round only. */
const ROUNDS_MAX = 24;

export interface MendRequest {
  readonly live: OverlayPages;
  readonly snapshot: SnapshotPages;
  /** All trees, those that must be sound first. */
  readonly trees: readonly Tree[];
  /** Root pages of the trees that must be sound. */
  readonly lasting: ReadonlySet<number>;
  /** Root pages of those that the snapshot has too, with the same definition. */
  readonly known: ReadonlySet<number>;
  readonly free: ReadonlySet<number>;
}

/** What came from the snapshot. */
export class SplicedPages {
  readonly pages = new Map<string, number>();
  rows = 0;
  /** Roots of trees of which a page that lists others was replaced: what it does not list is not found any more. */
  readonly interiorRoots = new Set<number>();

  add({ role, tree, pages }: Splice, rows: number): void {
    this.pages.set(tree.name, (this.pages.get(tree.name) ?? 0) + pages.length);
    this.rows += rows;
    if (role === 'interior' || tree.root === 1) this.interiorRoots.add(tree.root);
  }
}

/** The faults that may be mended together: interior pages first, for they show who owns the pages below them. */
function spliceable(faults: readonly TreeFault[], rules: SpliceRules): Splice[] {
  for (const certain of [true, false]) {
    const found = new Map<number, Splice>();
    for (const fault of faults) {
      const splice = fault.certain === certain ? rules.spliceFor(fault) : null;
      if (splice !== null) found.set(splice.pages[0]!, splice);
    }
    const interior = [...found.values()].filter(({ role }) => role === 'interior');
    if (found.size > 0) return interior.length > 0 ? interior : [...found.values()];
  }
  return [];
}

function checkRows(before: Survey, after: Survey, { trees, lasting }: MendRequest): void {
  for (const { name, root } of trees) {
    const [had, has] = [before.rows.get(root) ?? 0, after.rows.get(root) ?? 0];
    if (!lasting.has(root) || has >= had) continue;
    throw cannot('RECOVERY_FAILED', 'heal', name, `${had} rows could be read, and ${has} after it`);
  }
}

/**
 * Puts pages of the snapshot in the place of damaged ones until no fault is left in the trees that must be sound.
 * @throws RECOVERY_FAILED where a page may not be replaced, or fewer rows could be read afterwards
 */
export function mendTrees(request: MendRequest, spliced: SplicedPages, activity: Activity): Survey {
  const { live, snapshot, trees, lasting, known, free } = request;
  let first: Survey | null = null;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const survey = surveyTrees(live, trees, activity);
    first ??= survey;
    const faults = survey.faults.filter(({ tree }) => lasting.has(tree.root));
    if (faults.length === 0) {
      checkRows(first, survey, request);
      return survey;
    }
    const rules = new SpliceRules({ source: live, map: survey.map, free }, snapshot);
    const mendable = faults.filter(({ tree }) => known.has(tree.root));
    const splices = spliceable(mendable, rules);
    if (splices.length === 0) {
      const { tree, why } = faults[0]!;
      const refusal = known.has(tree.root) ? rules.refusal : 'the snapshot has no such table';
      throw cannot('RECOVERY_FAILED', 'heal', tree.name, `${why}; ${refusal}`);
    }
    for (const splice of splices) apply(splice, request, spliced);
  }
  throw cannot('RECOVERY_FAILED', 'heal', 'database', `unsound after ${ROUNDS_MAX} rounds`);
}

function apply(splice: Splice, { live, snapshot }: MendRequest, spliced: SplicedPages): void {
  for (const page of splice.pages) live.replaceTree(page, snapshot.source.read(page)!);
  const first = splice.pages[0]!;
  spliced.add(splice, splice.role === 'leaf' ? cellsOf(snapshot.source, first).length : 1);
}
