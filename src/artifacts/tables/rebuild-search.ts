import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import { messageOf, systemCode } from '../../kernel/errors.ts';
import { folded, quoted } from './table-form.ts';

/**
 * Full-text tables that index the text of another table are kept by its triggers. Where those did not run, the index is
 * built from the content again.
 */

const FULL_TEXT = /\busing\s+["'`[]?fts[45]\b/i;
const CONTENT = /[(,]\s*content\s*=\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([\w$]+))/i;

function contentOf(sql: string): string | null {
  const match = FULL_TEXT.test(sql) ? CONTENT.exec(sql) : null;
  if (match === null) return null;
  const [, single, double, bare] = match;
  return single?.replaceAll("''", "'") ?? double?.replaceAll('""', '"') ?? bare ?? null;
}

function rebuild(database: Database.Database, name: string, activity: Activity): void {
  try {
    database.exec(`INSERT INTO main.${quoted(name)}(${quoted(name)}) VALUES('rebuild')`);
  } catch (error) {
    // It may need a tokenizer that only the application has.
    if (systemCode(error) !== 'SQLITE_ERROR') throw error;
    activity.warn(`The full-text index "${name}" could not be built anew: ${messageOf(error)}`);
  }
}

/** @param changed names of tables */
export function rebuildSearch(
  database: Database.Database,
  changed: ReadonlySet<string>,
  activity: Activity,
): void {
  const names = new Set([...changed].map(folded));
  const virtual = database
    .prepare<[], { name: string; sql: string }>(
      `SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'`,
    )
    .all();
  for (const { name, sql } of virtual) {
    const content = contentOf(sql);
    if (content !== null && names.has(folded(content))) rebuild(database, name, activity);
  }
}
