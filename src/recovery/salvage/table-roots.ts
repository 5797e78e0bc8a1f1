import type Database from 'better-sqlite3';
import { decodePage, isLeaf } from '../../sqlite/format/page.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { SchemaObject } from '../damage.ts';
import { exchangedRoots } from './exchanged-roots.ts';

/**
 * Tables of several pages before those of one: a root that the damage put onto a leaf of another tree must not take that
 * leaf from the tree whose keys lead to it.
 */
function largestFirst(tables: readonly SchemaObject[], pages: PageSource): SchemaObject[] {
  const isSingle = ({ rootPage }: SchemaObject): boolean => {
    const bytes = pages.read(rootPage);
    const page = bytes === null ? null : decodePage(bytes, rootPage, pages);
    return page?.ok !== true || isLeaf(page.kind);
  };
  const single = new Set(tables.filter(isSingle));
  return [...tables.filter((each) => !single.has(each)), ...single];
}

/**
 * The tables with the roots of their own trees, in the order in which to walk them.
 * @param database has the tables and their unique indexes already
 */
export function tablesAtTheirRoots(
  source: PageSource,
  database: Database.Database,
  schema: readonly SchemaObject[],
  tables: readonly SchemaObject[],
): SchemaObject[] {
  const exchanged = exchangedRoots(source, database, schema, tables);
  const placed = tables.map((table) => ({
    ...table,
    rootPage: exchanged.get(table.name) ?? table.rootPage,
  }));
  return largestFirst(placed, source);
}
