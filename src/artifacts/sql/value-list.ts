import type { SqlLexer } from './sql-lexer.ts';

/**
 * Reads what an INSERT of a dump gives after VALUES: literals, and the few calls that write what no literal can. No
 * call makes a value larger than its text, so that no short statement fills the memory.
 */

const CONSTANTS = new Set(['NULL', 'TRUE', 'FALSE']);
const DEPTH_MAX = 20;
const CHARACTER_CALLS_MAX = 100_000;

/** Goes behind `(…), (…)`; false where there is anything else. */
export function readValueList(lexer: SqlLexer): boolean {
  for (;;) {
    if (!readTuple(lexer)) return false;
    if (!lexer.is(',')) return true;
    lexer.next();
  }
}

function readTuple(lexer: SqlLexer): boolean {
  return readBetweenParentheses(lexer, () => {
    for (;;) {
      if (!readValue(lexer, 0)) return false;
      if (!lexer.is(',')) return true;
      lexer.next();
    }
  });
}

function readBetweenParentheses(lexer: SqlLexer, read: () => boolean): boolean {
  if (!lexer.is('(')) return false;
  lexer.next();
  if (!read() || !lexer.is(')')) return false;
  lexer.next();
  return true;
}

/** One value, or several with `||` between them. */
function readValue(lexer: SqlLexer, depth: number): boolean {
  if (depth > DEPTH_MAX || !readSingle(lexer, depth)) return false;
  while (lexer.is('|')) {
    lexer.next();
    if (!lexer.is('|')) return false;
    lexer.next();
    if (!readSingle(lexer, depth)) return false;
  }
  return true;
}

function readSingle(lexer: SqlLexer, depth: number): boolean {
  if (lexer.is('-') || lexer.is('+')) {
    lexer.next();
    return readLiteral(lexer, ['number']);
  }
  if (lexer.is('(')) return readBetweenParentheses(lexer, () => readValue(lexer, depth + 1));
  const keyword = lexer.keyword;
  if (keyword === '') return readLiteral(lexer, ['number', 'string', 'blob']);
  lexer.next();
  if (CONSTANTS.has(keyword)) return true;
  return readBetweenParentheses(lexer, () => readCall(lexer, keyword, depth + 1));
}

function readLiteral(lexer: SqlLexer, types: readonly string[]): boolean {
  if (!types.includes(lexer.type)) return false;
  lexer.next();
  return true;
}

function readCall(lexer: SqlLexer, name: string, depth: number): boolean {
  if (name === 'CAST') return readCast(lexer, depth);
  if (name === 'CHAR') return readNumbers(lexer);
  if (name === 'UNISTR') return readLiteral(lexer, ['string']);
  return name === 'REPLACE' && readReplace(lexer, depth);
}

function readCast(lexer: SqlLexer, depth: number): boolean {
  if (!readValue(lexer, depth) || lexer.keyword !== 'AS') return false;
  lexer.next();
  return readLiteral(lexer, ['word']);
}

function readNumbers(lexer: SqlLexer): boolean {
  for (let count = 0; count < CHARACTER_CALLS_MAX; count++) {
    if (!readLiteral(lexer, ['number'])) return false;
    if (!lexer.is(',')) return true;
    lexer.next();
  }
  return false;
}

/** `replace(value, 'mark', char(13))`: what comes in is no longer than what goes. */
function readReplace(lexer: SqlLexer, depth: number): boolean {
  if (!readValue(lexer, depth) || !lexer.is(',')) return false;
  lexer.next();
  if (!readLiteral(lexer, ['string']) || !lexer.is(',')) return false;
  lexer.next();
  if (lexer.keyword !== 'CHAR') return readLiteral(lexer, []);
  lexer.next();
  return readBetweenParentheses(lexer, () => readLiteral(lexer, ['number']));
}
