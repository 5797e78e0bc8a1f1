import { isReservedName } from './schema-objects.ts';
import { SqlLexer } from './sql-lexer.ts';
import {
  type AllowedStatement,
  RESERVED_TABLES,
  readName,
  refused,
} from './statement-judgement.ts';
import { readValueList } from './value-list.ts';

const SCHEMA_TABLES = new Set(['sqlite_master', 'sqlite_schema']);

/** Judges what comes after INSERT or REPLACE (`verb`). */
export function judgeInsert(lexer: SqlLexer, verb: string): AllowedStatement {
  if (verb === 'INSERT' && lexer.isWord('OR')) {
    lexer.next();
    lexer.next();
  }
  if (!lexer.isWord('INTO')) return refused('INTO is missing');
  lexer.next();
  const table = readName(lexer)?.toLowerCase() ?? null;
  if (table === null) return refused('the table is not of this database');
  if (SCHEMA_TABLES.has(table)) return judgeSchemaRow(lexer);
  if (isReservedName(table) && !RESERVED_TABLES.has(table)) return refused('the table is reserved');
  if (lexer.is('(') && !skipNames(lexer)) return refused('the list of columns is no list of names');
  if (!lexer.isWord('VALUES')) return refused('only rows of VALUES are allowed');
  lexer.next();
  if (!readValueList(lexer) || !lexer.isEnd()) return refused('a value is no plain one');
  return { kind: 'run' };
}

function skipNames(lexer: SqlLexer): boolean {
  do {
    lexer.next();
    if (lexer.name === null) return false;
    lexer.next();
  } while (lexer.is(','));
  if (!lexer.is(')')) return false;
  lexer.next();
  return true;
}

/** Exactly the row of a virtual table: one with pages could name those of another. */
function judgeSchemaRow(lexer: SqlLexer): AllowedStatement {
  const columns = ['type', 'name', 'tbl_name', 'rootpage', 'sql'];
  const written = [...columns.flatMap((column) => [',', column]).slice(1)];
  for (const part of ['(', ...written, ')', 'VALUES', '(']) {
    if (lexer.text.toLowerCase() !== part.toLowerCase())
      return refused('no row of a virtual table');
    lexer.next();
  }
  const values: (string | null)[] = [];
  for (const end of [',', ',', ',', ',', ')']) {
    values.push(lexer.type === 'number' ? lexer.text : lexer.name);
    lexer.next();
    if (!lexer.is(end)) return refused('no row of a virtual table');
    lexer.next();
  }
  const [type, name, table, page, sql] = values;
  const isPlain = type === 'table' && name === table && page === '0' && lexer.isEnd();
  if (!isPlain || !isVirtualTable(sql ?? '', name!)) return refused('no row of a virtual table');
  return isReservedName(name!) ? refused('the name is reserved') : { kind: 'schema' };
}

function isVirtualTable(sql: string, name: string): boolean {
  const lexer = new SqlLexer(sql);
  for (const word of ['CREATE', 'VIRTUAL', 'TABLE']) {
    if (!lexer.isWord(word)) return false;
    lexer.next();
  }
  return readName(lexer) === name && lexer.isWord('USING');
}
