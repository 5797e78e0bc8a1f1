import Database from 'better-sqlite3';
import { messageOf } from '../../kernel/errors.ts';
import { SqlLexer } from './sql-lexer.ts';
import { quotedText } from './text-literal.ts';

/**
 * Runs a statement that its application may define and we alone could not: one that calls a function of the
 * application or orders by a collation of it, or that writes a string in double quotes, which SQLite reads where it was
 * built to and ours was not.
 */
export function runDefinition(database: Database.Database, text: string): void {
  let current = text;
  for (let attempt = 0; ; attempt++) {
    try {
      database.exec(current);
      if (current !== text) restoreText(database, text);
      return;
    } catch (error) {
      const next = attempt < ATTEMPTS_MAX ? repaired(database, current, messageOf(error)) : null;
      if (next === null) throw error;
      current = next;
    }
  }
}

const ATTEMPTS_MAX = 100;
const MISSING_FUNCTION = /^no such function: ([A-Za-z_][A-Za-z0-9_]*)$/;
const MISSING_COLLATION = /^no such collation sequence: (.*)$/s;
const MISSING_COLUMN =
  /^no such column: "(.*)" - should this be a string literal in single-quotes\?$/s;

/** The text to try instead; null where nothing can be done. */
function repaired(database: Database.Database, text: string, message: string): string | null {
  const missing = MISSING_FUNCTION.exec(message)?.[1];
  if (missing !== undefined) return standIn(database, missing) ? text : null;
  const column = MISSING_COLUMN.exec(message)?.[1];
  const collation = MISSING_COLLATION.exec(message)?.[1];
  const next =
    column !== undefined
      ? withStringFor(text, column)
      : collation !== undefined
        ? withoutCollation(text, collation)
        : text;
  return next === text ? null : next;
}

/**
 * A function that a constraint may name but that cannot be called: what is computed by it (an index over rows, a
 * stored column) fails, instead of being wrong.
 */
function standIn(database: Database.Database, name: string): boolean {
  const known = database
    .prepare<[string], number>('SELECT count(*) FROM pragma_function_list WHERE name = ?')
    .pluck()
    .get(name.toLowerCase());
  if (Number(known) > 0) return false;
  database.function(name.toLowerCase(), { varargs: true, deterministic: true }, () => {
    throw new Error(`no such function: ${name}`);
  });
  // A function of ours counts as one that a schema must not call, unless the schema is trusted.
  database.pragma('trusted_schema = ON');
  return true;
}

/**
 * The definition of a table by the order of bytes instead, with which its rows come in as well; the same text where a
 * constraint's index is ordered by the collation, which nobody could build.
 */
function withoutCollation(text: string, collation: string): string {
  if (!/^\s*CREATE\s+TABLE\b/i.test(text)) return text;
  const [byBytes, byLetters] = ['BINARY', 'NOCASE'].map((known) =>
    withCollation(text, collation, known),
  );
  const orders = constraintOrders(byBytes!);
  return orders !== null && orders === constraintOrders(byLetters!) ? byBytes! : text;
}

function withCollation(text: string, missing: string, known: string): string {
  const lexer = new SqlLexer(text);
  let result = '';
  let copied = 0;
  let afterCollate = false;
  for (; !lexer.isEnd(); lexer.next()) {
    if (afterCollate && lexer.name?.toLowerCase() === missing.toLowerCase()) {
      result += text.slice(copied, lexer.start) + known;
      copied = lexer.end;
    }
    afterCollate = lexer.isWord('COLLATE');
  }
  return result + text.slice(copied);
}

/** By which collations the indexes of a table's constraints are ordered; null where it cannot be made. */
function constraintOrders(definition: string): string | null {
  const scratch = new Database(':memory:');
  try {
    scratch.exec(definition);
    const rows = scratch.prepare(
      `SELECT l.name, x.seqno, x.coll FROM sqlite_schema s, pragma_index_list(s.name) l, pragma_index_xinfo(l.name) x
       ORDER BY 1, 2`,
    );
    return JSON.stringify(rows.raw().all());
  } catch {
    return null;
  } finally {
    scratch.close();
  }
}

/** Behind the first parenthesis every name in double quotes that equals `column` becomes a string. */
function withStringFor(text: string, column: string): string {
  const lexer = new SqlLexer(text);
  while (!lexer.isEnd() && !lexer.is('(')) lexer.next();
  let result = '';
  let copied = 0;
  for (; !lexer.isEnd(); lexer.next()) {
    if (lexer.type !== 'name' || text[lexer.start] !== '"' || lexer.name !== column) continue;
    result += text.slice(copied, lexer.start) + quotedText(column);
    copied = lexer.end;
  }
  return result + text.slice(copied);
}

/**
 * The schema keeps the text that was written: `CREATE TABLE` (or `INDEX`) and all from the name on. It is read again,
 * so that what follows builds on what the text says and not on what stood in for it.
 */
function restoreText(database: Database.Database, text: string): void {
  const lexer = new SqlLexer(text);
  lexer.next();
  const isUnique = lexer.isWord('UNIQUE');
  if (isUnique) lexer.next();
  const type = lexer.keyword;
  lexer.next();
  for (const word of ['IF', 'NOT', 'EXISTS']) if (lexer.isWord(word)) lexer.next();
  const [start, name] = [lexer.start, lexer.name];
  let end = start;
  for (; !lexer.isEnd(); lexer.next()) end = lexer.end;
  const sql = `CREATE ${isUnique ? 'UNIQUE ' : ''}${type} ${text.slice(start, end)}`;
  database.pragma('writable_schema = ON');
  try {
    database
      .prepare('UPDATE main.sqlite_schema SET sql = ? WHERE type = ? AND name = ?')
      .run(sql, type.toLowerCase(), name);
  } finally {
    database.pragma('writable_schema = RESET');
  }
}
