import { fullTextTables, type SchemaObject } from '../damage.ts';

/** The schema of the new database, sorted by how its objects come about. */
export interface SalvageSchema {
  /** Tables with a b-tree, shadow tables of virtual ones included. */
  readonly tables: readonly SchemaObject[];
  readonly uniqueIndexes: readonly SchemaObject[];
  readonly otherIndexes: readonly SchemaObject[];
  readonly virtualTables: readonly SchemaObject[];
  readonly views: readonly SchemaObject[];
  readonly triggers: readonly SchemaObject[];
  /** Names of tables that are made anew from others: no row of theirs is taken over. */
  readonly derived: ReadonlySet<string>;
}

const VIRTUAL = /^\s*create\s+virtual\s+table\b/i;
const UNIQUE = /^\s*create\s+unique\s+index\b/i;
/** SQLite makes it with the first AUTOINCREMENT table; its rows are set at the end. */
export const SEQUENCE_TABLE = 'sqlite_sequence';

export const isVirtual = ({ type, sql }: SchemaObject): boolean =>
  type === 'table' && VIRTUAL.test(sql ?? '');

export function sortSchema(objects: readonly SchemaObject[]): SalvageSchema {
  const written = objects.filter(({ sql }) => sql !== null);
  const ofType = (type: SchemaObject['type']): SchemaObject[] =>
    written.filter((each) => each.type === type);
  const tables = ofType('table');
  const present = new Set([...tables, ...ofType('view')].map(({ name }) => name.toLowerCase()));
  // The table of some may be lost: without it they cannot be made.
  const isPossible = ({ table }: SchemaObject): boolean => present.has(table.toLowerCase());
  const indexes = ofType('index').filter(isPossible);
  return {
    tables: tables.filter((each) => !isVirtual(each) && each.name !== SEQUENCE_TABLE),
    uniqueIndexes: indexes.filter(({ sql }) => UNIQUE.test(sql!)),
    otherIndexes: indexes.filter(({ sql }) => !UNIQUE.test(sql!)),
    virtualTables: tables.filter(isVirtual),
    views: ofType('view'),
    triggers: ofType('trigger').filter(isPossible),
    derived: new Set(fullTextTables(written).flatMap(({ derived }) => [...derived])),
  };
}

/**
 * What the damaged file says, completed by what only the snapshot has. An object that was dropped since the snapshot
 * would come back, so the snapshot is asked only where the damaged schema was not read to its end.
 */
export function mergeSchemas(
  live: readonly SchemaObject[],
  snapshot: readonly SchemaObject[],
): SchemaObject[] {
  const known = new Set(live.map(({ name }) => name));
  return [...live, ...snapshot.filter(({ name }) => !known.has(name))];
}
