import type { SqlLexer } from './sql-lexer.ts';

/** What to do with a statement that a dump may hold. */
export type AllowedStatement =
  /** Says nothing that concerns us. */
  | { readonly kind: 'skip' }
  | { readonly kind: 'begin' }
  | { readonly kind: 'commit' }
  /** A setting of the new database: before its first table. */
  | { readonly kind: 'setting' }
  | { readonly kind: 'run' }
  /** Runs when all rows are there, so that it sees none of them. */
  | { readonly kind: 'trigger' }
  /** Writes into the schema itself. */
  | { readonly kind: 'schema' }
  | { readonly kind: 'refused'; readonly reason: string };

export const refused = (reason: string): AllowedStatement => ({ kind: 'refused', reason });

/** The tables of SQLite's own that a dump may make and fill. */
export const RESERVED_TABLES = new Set([
  'sqlite_sequence',
  'sqlite_stat1',
  'sqlite_stat3',
  'sqlite_stat4',
]);

/** The name of something in the database itself; null where it is another database's, or none. */
export function readName(lexer: SqlLexer): string | null {
  let name = lexer.name;
  lexer.next();
  if (!lexer.is('.')) return name;
  if (name?.toLowerCase() !== 'main') return null;
  lexer.next();
  name = lexer.name;
  lexer.next();
  return name;
}
