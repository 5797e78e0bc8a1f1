import Database from 'better-sqlite3';
import { fullTextTables, type SchemaObject } from '../damage.ts';

/**
 * Full-text tables name the columns of their shadow tables in their own statements, whatever the schema says: damage of
 * such a definition that still parses would make a table that its module cannot use.
 */

/** By the name of a shadow table: its definition as the module makes it. Modules are asked in memory. */
export function shadowDefinitions(
  virtualTables: readonly SchemaObject[],
): ReadonlyMap<string, string> {
  const definitions = new Map<string, string>();
  const names = new Set(fullTextTables(virtualTables).map(({ name }) => name));
  for (const { name, sql } of virtualTables) {
    if (!names.has(name)) continue;
    for (const [shadow, made] of madeBy(sql!)) definitions.set(shadow, made);
  }
  return definitions;
}

/** Nothing where the definition is not one that this module, with its tokenizers, can follow. */
function madeBy(sql: string): readonly (readonly [string, string])[] {
  const memory = new Database(':memory:');
  try {
    // It is one statement, or none: `prepare` takes no other.
    memory.prepare(sql).run();
    return memory
      .prepare<[], [string, string]>(
        `SELECT name, sql FROM sqlite_schema WHERE rootpage > 0 AND type = 'table'`,
      )
      .raw()
      .all();
  } catch {
    return [];
  } finally {
    memory.close();
  }
}

/** The definition as it is, unless it makes other columns than its module knows. */
export function soundDefinition(sql: string, made: string | undefined): string {
  return made === undefined || columnsOf(sql) === columnsOf(made) ? sql : made;
}

/** Names in their order; null where it makes no table. */
function columnsOf(sql: string): string | null {
  const memory = new Database(':memory:');
  try {
    memory.prepare(sql).run();
    const columns = `SELECT group_concat(lower(c.name), char(0)) FROM sqlite_schema AS s, pragma_table_info(s.name) AS c
      WHERE s.rootpage > 0 AND s.type = 'table'`;
    return memory.prepare<[], string | null>(columns).pluck().get() ?? null;
  } catch {
    return null;
  } finally {
    memory.close();
  }
}
