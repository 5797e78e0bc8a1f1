import type Database from 'better-sqlite3';
import type { SchemaObject } from './schema-objects.ts';
import { SqlLexer } from './sql-lexer.ts';

/** True for an index that only the application can build: it names a collation or a function of its own. */
export function needsMissingDefinition(database: Database.Database, index: SchemaObject): boolean {
  const collations = database
    .prepare<[string], number>(
      `SELECT count(*) FROM pragma_index_xinfo(?, 'main')
       WHERE upper(coll) NOT IN ('BINARY', 'NOCASE', 'RTRIM')`,
    )
    .pluck()
    .safeIntegers(false)
    .get(index.name);
  return collations !== 0 || callsMissingFunction(database, index.sql ?? '');
}

function callsMissingFunction(database: Database.Database, sql: string): boolean {
  const known = database
    .prepare<[string], number>('SELECT count(*) FROM pragma_function_list WHERE name = ?')
    .pluck()
    .safeIntegers(false);
  const lexer = new SqlLexer(sql);
  // The first parenthesis is that of the columns, and what is before it is the table.
  while (!lexer.isEnd() && !lexer.is('(')) lexer.next();
  let word = '';
  for (; !lexer.isEnd(); lexer.next()) {
    const isCall = lexer.is('(') && word !== '' && !NOT_A_CALL.has(word);
    if (isCall && known.get(word.toLowerCase()) === 0) return true;
    word = lexer.keyword;
  }
  return false;
}

const NOT_A_CALL = new Set([
  'IN',
  'AND',
  'OR',
  'NOT',
  'WHEN',
  'THEN',
  'ELSE',
  'CASE',
  'WHERE',
  'LIKE',
  'IS',
  'CAST',
  'BETWEEN',
  'GLOB',
  'MATCH',
  'REGEXP',
  'ESCAPE',
]);
