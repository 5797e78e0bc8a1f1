import { sameContent } from '../chunks/content.ts';
import { compareNames, type TreeEntry } from './tree-entry.ts';
import { type ReadTree, walkTree } from './walk-tree.ts';

/** What stands at a path on either side; null where nothing does. */
export interface TreeDifference {
  /** Logical path. */
  readonly path: string;
  readonly before: TreeEntry | null;
  readonly after: TreeEntry | null;
}

/** How two entries of the same path differ, the gravest first. */
export type DifferenceKind = 'added' | 'removed' | 'type' | 'content' | 'metadata';

/**
 * Every path at which two trees differ, directories before what is in them. What both share is not read: the cost
 * follows the differences. Null stands for a directory that is not there.
 */
export async function* compareTrees(
  read: ReadTree,
  before: string | null,
  after: string | null,
  prefix: string,
): AsyncGenerator<TreeDifference> {
  if (before === after) return;
  const [left, right] = [
    before === null ? [] : await read(before),
    after === null ? [] : await read(after),
  ];
  for (const [old, now] of pairs(left, right)) {
    const path = `${prefix}/${(old ?? now)!.name}`;
    if (old === null || now === null) {
      yield { path, before: old, after: now };
      yield* whole(read, old, path, 'before');
      yield* whole(read, now, path, 'after');
    } else {
      yield* comparePair(read, old, now, path);
    }
  }
}

async function* comparePair(
  read: ReadTree,
  before: TreeEntry,
  after: TreeEntry,
  path: string,
): AsyncGenerator<TreeDifference> {
  if (differenceOf(before, after) !== null) yield { path, before, after };
  if (before.type === 'directory' && after.type === 'directory') {
    yield* compareTrees(read, before.tree, after.tree, path);
    return;
  }
  yield* whole(read, before, path, 'before');
  yield* whole(read, after, path, 'after');
}

/** Everything below a directory that stands on one side alone. */
async function* whole(
  read: ReadTree,
  entry: TreeEntry | null,
  path: string,
  side: 'before' | 'after',
): AsyncGenerator<TreeDifference> {
  if (entry?.type !== 'directory') return;
  for await (const placed of walkTree(read, entry.tree, path)) {
    const alone = { before: null, after: null, [side]: placed.entry };
    yield { path: placed.path, ...alone };
  }
}

/** Both lists in name order, joined by name. */
function* pairs(
  left: readonly TreeEntry[],
  right: readonly TreeEntry[],
): Generator<readonly [TreeEntry | null, TreeEntry | null]> {
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [old, now] = [left[l], right[r]];
    const order = old === undefined ? 1 : now === undefined ? -1 : compareNames(old.name, now.name);
    if (order <= 0) l += 1;
    if (order >= 0) r += 1;
    yield [order <= 0 ? old! : null, order >= 0 ? now! : null];
  }
}

/** Null where both say the same; directories are held against each other without what is in them. */
export function differenceOf(
  before: TreeEntry | null,
  after: TreeEntry | null,
): DifferenceKind | null {
  if (before === null) return after === null ? null : 'added';
  if (after === null) return 'removed';
  if (before.type !== after.type) return 'type';
  if (contentDiffers(before, after)) return 'content';
  // The time of a directory changes with what is in it, which is told by itself.
  const timesDiffer = before.type !== 'directory' && before.mtimeNs !== after.mtimeNs;
  const differs =
    before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid;
  return differs || timesDiffer ? 'metadata' : null;
}

function contentDiffers(before: TreeEntry, after: TreeEntry): boolean {
  if (before.type === 'symlink' || after.type === 'symlink') {
    return before.type === 'symlink' && after.type === 'symlink' && before.target !== after.target;
  }
  if (before.type === 'directory' || after.type === 'directory') return false;
  return !sameContent(before.content, after.content);
}
