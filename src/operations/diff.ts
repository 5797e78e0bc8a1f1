import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import { compareTrees, type DifferenceKind, differenceOf } from '../store/trees/compare-trees.ts';
import { rootTree } from '../store/trees/read-tree.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { type ChangedDatabase, type DatabaseDifference, diffDatabases } from './diff-databases.ts';
import type { Operation, OperationContext } from './operation.ts';
import { withReader } from './repository-access.ts';

const parameters = z.strictObject({
  before: z.string().min(1),
  after: z.string().min(1),
  databases: z.boolean().default(true),
});

/** Differences that the result carries; the log of the job has all of them, as JSON lines. */
const ITEMS_MAX = 1_000;

export interface PathDifference {
  readonly path: string;
  readonly change: DifferenceKind;
  readonly type: TreeEntry['type'];
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
}

interface FileDifferences {
  readonly counts: Record<DifferenceKind, number>;
  readonly bytesAdded: number;
  readonly bytesRemoved: number;
  readonly items: readonly PathDifference[];
  readonly truncated: boolean;
}

/** Roots of either side by prefix, each with its trees; null where the side has none of its own. */
function rootPairs(before: Manifest, after: Manifest) {
  const treeOf = (manifest: Manifest, prefix: string): string | null => {
    const root = manifest.roots.find((each) => each.prefix === prefix);
    return root === undefined ? null : rootTree(manifest, root);
  };
  const prefixes = [...before.roots, ...after.roots].map(({ prefix }) => prefix);
  return [...new Set(prefixes)].sort().map((prefix) => {
    return { prefix, left: treeOf(before, prefix), right: treeOf(after, prefix) };
  });
}

const bytesOf = (entry: TreeEntry | null): number | null =>
  entry === null ? null : 'content' in entry ? entry.content.bytes : 0;

async function diffFiles(
  reader: StoreReader,
  before: Manifest,
  after: Manifest,
  { activity }: OperationContext,
): Promise<FileDifferences & { databases: ChangedDatabase[] }> {
  const counts = { added: 0, removed: 0, type: 0, content: 0, metadata: 0 };
  const items: PathDifference[] = [];
  const databases: ChangedDatabase[] = [];
  let [filesDone, bytesAdded, bytesRemoved] = [0, 0, 0];
  const read = (tree: string) => reader.readTree(tree);
  activity.progress({ phase: 'compare files', filesDone });
  for (const { prefix, left, right } of rootPairs(before, after)) {
    for await (const difference of compareTrees(read, left, right, prefix)) {
      activity.signal.throwIfAborted();
      const { path, before: old, after: now } = difference;
      const change = differenceOf(old, now)!;
      const [bytesBefore, bytesAfter] = [bytesOf(old), bytesOf(now)];
      const item = { path, change, type: (now ?? old)!.type, bytesBefore, bytesAfter };
      counts[change] += 1;
      if (change === 'added') bytesAdded += bytesAfter ?? 0;
      if (change === 'removed') bytesRemoved += bytesBefore ?? 0;
      if (items.length < ITEMS_MAX) items.push(item);
      activity.log(JSON.stringify(item));
      filesDone += 1;
      activity.progress({ currentFile: path, filesDone });
      const isDatabase = old?.type === 'database' || now?.type === 'database';
      if (isDatabase && change !== 'metadata') databases.push(difference);
    }
  }
  const truncated = filesDone > items.length;
  return { counts, bytesAdded, bytesRemoved, items, truncated, databases };
}

/** What changed from one snapshot to another. Nothing is written anywhere but to the scratch directory. */
export const diff: Operation<z.infer<typeof parameters>> = {
  kind: 'diff',
  params: parameters,
  async run(context, params) {
    const { settings, activity } = context;
    return withReader(settings, async (reader) => {
      const before = reader.resolveSnapshot(params.before);
      const after = reader.resolveSnapshot(params.after);
      if (before === after) {
        throw cannot('INVALID_PARAMS', 'compare', params.before, 'both are the same snapshot');
      }
      const [old, now] = [await reader.readManifest(before), await reader.readManifest(after)];
      if (old.source.id !== now.source.id) {
        activity.warn(
          `The snapshots are of two sources: ${old.source.name} and ${now.source.name}`,
        );
      }
      const { databases: changed, ...files } = await diffFiles(reader, old, now, context);
      const databases: DatabaseDifference[] = params.databases
        ? await diffDatabases(reader, changed, context)
        : [];
      for (const database of databases) activity.log(JSON.stringify(database));
      const sides = {
        before,
        after,
        capturedBefore: old.capturedAt,
        capturedAfter: now.capturedAt,
      };
      return { ...sides, files, databases };
    });
  },
};
