import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { compareRows } from './compare-rows.ts';
import { readPragmas, readWithoutTrust } from './database-pragmas.ts';
import { sameDefinition } from './same-definition.ts';
import { hasRows, readSchemaObjects, type SchemaObject } from './schema-objects.ts';

/** More are not told: one is enough to know. */
export const DIFFERENCES_MAX = 20;

/**
 * What differs, in words, at most `DIFFERENCES_MAX`; empty: equal in schema, rows, types, rowids that matter, pragmas.
 * Both connections are in a transaction. Virtual tables are compared by the tables that they keep their content in.
 * Of a table, the first row that differs is told. Rows stream: neither database is held.
 */
export async function compareDatabases(
  left: Database.Database,
  right: Database.Database,
  activity: Activity,
  options: { readonly ignoredIndexes?: readonly string[] } = {},
): Promise<readonly string[]> {
  if (!left.inTransaction || !right.inTransaction) {
    throw new Error('compareDatabases needs connections in a transaction');
  }
  readWithoutTrust(left);
  readWithoutTrust(right);
  const differences = [...comparePragmas(left, right)];
  const [ours, theirs] = [objectsOf(left), objectsOf(right)];
  for (const name of options.ignoredIndexes ?? []) {
    ours.delete(`index ${name}`);
    theirs.delete(`index ${name}`);
  }
  differences.push(...compareSchemas(ours, theirs));
  for (const [key, { name, type, hasPages }] of ours) {
    if (differences.length >= DIFFERENCES_MAX) break;
    if (type !== 'table' || !hasPages || !theirs.has(key)) continue;
    activity.progress({ phase: 'compare', currentFile: name });
    const difference = await compareRows(left, right, name, activity);
    if (difference !== null) differences.push(difference);
  }
  return differences.slice(0, DIFFERENCES_MAX);
}

function* comparePragmas(left: Database.Database, right: Database.Database): Generator<string> {
  const [ours, theirs] = [readPragmas(left), readPragmas(right)];
  for (const key of Object.keys(ours) as (keyof typeof ours)[]) {
    if (ours[key] !== theirs[key]) yield `${key} is ${ours[key]} here and ${theirs[key]} there`;
  }
}

/** Tables of SQLite's own that are empty are as good as absent: it makes them when it likes. */
function objectsOf(database: Database.Database): Map<string, SchemaObject> {
  const { sequence, statistics, ...others } = readSchemaObjects(database);
  const own = [...(sequence === null ? [] : [sequence]), ...statistics];
  const all = [
    ...Object.values(others).flat(),
    ...own.filter(({ name }) => hasRows(database, name)),
  ];
  return new Map(all.map((object) => [`${object.type} ${object.name}`, object]));
}

function* compareSchemas(
  ours: ReadonlyMap<string, SchemaObject>,
  theirs: ReadonlyMap<string, SchemaObject>,
): Generator<string> {
  for (const [key, object] of ours) {
    const other = theirs.get(key);
    if (other === undefined) yield `${key} is missing there`;
    else if (object.tableName !== other.tableName || object.hasPages !== other.hasPages) {
      yield `${key} belongs to something else there`;
    } else if (!sameDefinition(object.sql ?? '', other.sql ?? '')) {
      yield `${key} is defined otherwise there`;
    }
  }
  for (const key of theirs.keys()) if (!ours.has(key)) yield `${key} is missing here`;
}
