import { judgeInsert } from './allowed-inserts.ts';
import { isReservedName } from './schema-objects.ts';
import { SqlLexer } from './sql-lexer.ts';
import {
  type AllowedStatement,
  RESERVED_TABLES,
  readName,
  refused,
} from './statement-judgement.ts';

const SETTINGS = new Set([
  'PAGE_SIZE',
  'ENCODING',
  'AUTO_VACUUM',
  'USER_VERSION',
  'APPLICATION_ID',
]);
/** How the program that wrote the dump wants it loaded; we load it in our own way. */
const WISHES = new Set(
  `FOREIGN_KEYS IGNORE_CHECK_CONSTRAINTS WRITABLE_SCHEMA DEFER_FOREIGN_KEYS SYNCHRONOUS JOURNAL_MODE
   CACHE_SIZE TEMP_STORE LOCKING_MODE LEGACY_FILE_FORMAT LEGACY_ALTER_TABLE RECURSIVE_TRIGGERS
   CASE_SENSITIVE_LIKE FULL_COLUMN_NAMES SHORT_COLUMN_NAMES TRUSTED_SCHEMA CELL_SIZE_CHECK`.split(
    /\s+/,
  ),
);
/** Modules that keep all they have in the database itself. */
const MODULES = new Set(['fts3', 'fts4', 'fts5', 'rtree', 'rtree_i32', 'geopoly']);
const FORBIDDEN_CALLS = new Set([
  'LOAD_EXTENSION',
  'READFILE',
  'WRITEFILE',
  'FTS3_TOKENIZER',
  'EDIT',
]);

/** Decides by the tokens, before SQLite sees anything of it. */
export function judgeStatement(text: string): AllowedStatement {
  if (text.includes('\0')) return refused('there is a NUL in it');
  const lexer = new SqlLexer(text);
  if (lexer.isEnd()) return { kind: 'skip' };
  const verb = lexer.keyword;
  lexer.next();
  if (verb === 'INSERT' || verb === 'REPLACE') return judgeInsert(lexer, verb);
  if (verb === 'CREATE') return judgeCreate(lexer);
  if (verb === 'PRAGMA') return judgePragma(lexer);
  if (verb === 'BEGIN') return { kind: 'begin' };
  if (verb === 'COMMIT' || verb === 'END') return { kind: 'commit' };
  if (verb === 'ROLLBACK') return refused('the program that wrote the dump met an error');
  if (verb === 'ANALYZE') return judgeAnalyze(lexer);
  if (verb === 'DELETE') return judgeDelete(lexer);
  if (verb === 'DROP') return judgeDrop(lexer);
  return refused('a dump needs no such statement');
}

function skipWords(lexer: SqlLexer, ...words: readonly string[]): void {
  for (const word of words) if (lexer.isWord(word)) lexer.next();
}

function judgePragma(lexer: SqlLexer): AllowedStatement {
  const name = readName(lexer)?.toUpperCase() ?? '';
  if (WISHES.has(name)) return { kind: 'skip' };
  if (!SETTINGS.has(name)) return refused('a dump needs no such pragma');
  const parenthesis = lexer.is('(');
  if (!parenthesis && !lexer.is('=')) return { kind: 'skip' };
  lexer.next();
  if (lexer.is('-') || lexer.is('+')) lexer.next();
  if (lexer.name === null && lexer.type !== 'number') return refused('the value is no plain one');
  lexer.next();
  if (parenthesis) lexer.next();
  return lexer.isEnd() ? { kind: 'setting' } : refused('the value is no plain one');
}

function judgeCreate(lexer: SqlLexer): AllowedStatement {
  if (/^TEMP(ORARY)?$/.test(lexer.keyword)) return refused('it is for this connection only');
  skipWords(lexer, 'UNIQUE');
  const what = lexer.keyword;
  lexer.next();
  if (what === 'VIRTUAL') lexer.next();
  skipWords(lexer, 'IF', 'NOT', 'EXISTS');
  const name = readName(lexer);
  if (name === null) return refused('it is not for this database');
  const reserved = isReservedName(name);
  if (reserved && !(what === 'TABLE' && RESERVED_TABLES.has(name.toLowerCase()))) {
    return refused('the name is reserved');
  }
  if (what === 'TABLE' && !lexer.is('(')) return refused('a table of a query is not allowed');
  if (what === 'VIRTUAL') return judgeModule(lexer);
  if (what === 'TRIGGER') return { kind: 'trigger' };
  if (what === 'VIEW') return { kind: 'run' };
  if (what !== 'TABLE' && what !== 'INDEX') return refused('a dump needs no such statement');
  if (what === 'TABLE' && callsForbidden(lexer)) return refused('it calls what it must not');
  return { kind: reserved ? 'schema' : 'run' };
}

/** From the current token on. */
function callsForbidden(lexer: SqlLexer): boolean {
  for (let word = ''; !lexer.isEnd(); lexer.next()) {
    if (lexer.is('(') && FORBIDDEN_CALLS.has(word)) return true;
    word = lexer.keyword;
  }
  return false;
}

function judgeModule(lexer: SqlLexer): AllowedStatement {
  if (!lexer.isWord('USING')) return refused('a module is missing');
  lexer.next();
  const module = lexer.name?.toLowerCase() ?? '';
  return MODULES.has(module) ? { kind: 'run' } : refused(`module ${module} is not allowed`);
}

function judgeAnalyze(lexer: SqlLexer): AllowedStatement {
  if (!lexer.isEnd() && readName(lexer) === null) return refused('it is not for this database');
  return lexer.isEnd() ? { kind: 'run' } : refused('it is not for this database');
}

/** Emptying the sequences is how dumps begin to set them. */
function judgeDelete(lexer: SqlLexer): AllowedStatement {
  skipWords(lexer, 'FROM');
  if (readName(lexer)?.toLowerCase() !== 'sqlite_sequence')
    return refused('a dump deletes no rows');
  if (lexer.isEnd()) return { kind: 'run' };
  if (!lexer.isWord('WHERE')) return refused('the condition is no plain one');
  lexer.next();
  if (lexer.name?.toLowerCase() !== 'name') return refused('the condition is no plain one');
  lexer.next();
  if (!lexer.is('=')) return refused('the condition is no plain one');
  lexer.next();
  lexer.next();
  return lexer.isEnd() ? { kind: 'run' } : refused('the condition is no plain one');
}

function judgeDrop(lexer: SqlLexer): AllowedStatement {
  if (!/^(TABLE|INDEX|VIEW|TRIGGER)$/.test(lexer.keyword)) return refused('nothing to drop');
  lexer.next();
  skipWords(lexer, 'IF', 'EXISTS');
  const name = readName(lexer);
  if (name === null || isReservedName(name)) return refused('it is not for this database');
  return lexer.isEnd() ? { kind: 'run' } : refused('there is more than a name');
}
