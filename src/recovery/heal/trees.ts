import { treeKind } from '../candidates/rebuild-derived.ts';
import { fullTextTables, type SchemaObject } from '../damage.ts';
import type { Tree } from './tree-fault.ts';

export const SCHEMA_TREE: Tree = { name: 'sqlite_schema', root: 1, kind: 'table' };

export interface DatabaseTrees {
  /** Those that must be sound come first. */
  readonly all: readonly Tree[];
  /** Root pages of tables; indexes, and what full-text tables keep beside their content, can be made again. */
  readonly lasting: ReadonlySet<number>;
}

const sameObject = (left: SchemaObject, right: SchemaObject): boolean =>
  left.type === right.type &&
  left.name === right.name &&
  left.rootPage === right.rootPage &&
  left.sql === right.sql;

export function treesOf(schema: readonly SchemaObject[]): DatabaseTrees {
  const derived = new Set(fullTextTables(schema).flatMap((table) => [...table.derived]));
  const trees = schema
    .filter(({ rootPage }) => rootPage > 1)
    .map((object) => ({
      tree: { name: object.name, root: object.rootPage, kind: treeKind(object) },
      isLasting: object.type === 'table' && !derived.has(object.name),
    }));
  const lasting = trees.filter(({ isLasting }) => isLasting).map(({ tree }) => tree);
  const others = trees.filter(({ isLasting }) => !isLasting).map(({ tree }) => tree);
  return {
    all: [SCHEMA_TREE, ...lasting, ...others],
    lasting: new Set([SCHEMA_TREE, ...lasting].map(({ root }) => root)),
  };
}

/** Root pages of the tables that both have, at the same place and with the same definition. */
export function knownRoots(
  schema: readonly SchemaObject[],
  snapshot: readonly SchemaObject[],
): Set<number> {
  const same = schema.filter((each) => snapshot.some((other) => sameObject(each, other)));
  return new Set([SCHEMA_TREE.root, ...same.map(({ rootPage }) => rootPage)]);
}
