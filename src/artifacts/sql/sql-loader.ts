import type Database from 'better-sqlite3';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { judgeStatement } from './allowed-statements.ts';
import { runDefinition } from './run-definition.ts';
import type { SqlStatement } from './split-statements.ts';
import { SqlLexer } from './sql-lexer.ts';
import { statementText } from './statement-text.ts';

const SHOWN_CHARACTERS = 80;
/** Triggers wait until the rows are there; their text is all that is kept of a dump. */
const TRIGGER_CHARACTERS_MAX = 64 * 1024 * 1024;

/** Runs the statements of a dump in a new database, those that it allows, in one transaction. */
export class SqlLoader {
  readonly #database: Database.Database;
  readonly #databaseBytesMax: number;
  readonly #skipsForeignIndexes: boolean;
  readonly #skippedIndexes: string[] = [];
  readonly #triggers: SqlStatement[] = [];
  #triggerCharacters = 0;
  #depth = 0;
  #statements = 0;

  constructor(
    database: Database.Database,
    options: { readonly databaseBytesMax: number; readonly skipsForeignIndexes: boolean },
  ) {
    this.#database = database;
    this.#databaseBytesMax = options.databaseBytesMax;
    this.#skipsForeignIndexes = options.skipsForeignIndexes;
  }

  /** Those that were run, or heeded. */
  get statements(): number {
    return this.#statements;
  }

  /** Indexes that only the application can build. */
  get skippedIndexes(): readonly string[] {
    return this.#skippedIndexes;
  }

  /** @throws VERIFY_FAILED and others, naming the line and how the statement starts */
  take(statement: SqlStatement): void {
    const allowed = judgeStatement(statement.text);
    if (allowed.kind === 'refused') throw refusal('VERIFY_FAILED', statement, allowed.reason);
    if (allowed.kind === 'skip') return;
    this.#statements += 1;
    if (allowed.kind === 'begin') this.#depth += 1;
    else if (allowed.kind === 'commit') this.#depth -= 1;
    else if (allowed.kind === 'trigger') this.#keepTrigger(statement);
    else this.#run(statement, allowed.kind);
    if (this.#depth < 0 || this.#depth > 1) {
      throw refusal('VERIFY_FAILED', statement, 'transactions do not match');
    }
  }

  /** @throws VERIFY_FAILED for text that ends within a transaction, or said nothing */
  finish(): void {
    if (this.#depth !== 0) throw incomplete('it ends before its transaction does');
    if (this.#statements === 0) throw incomplete('there is no statement in it');
    for (const trigger of this.#triggers) this.#run(trigger, 'trigger');
    if (this.#database.inTransaction) this.#database.exec('COMMIT');
  }

  #begin(): void {
    const database = this.#database;
    const pageBytes = Number(database.pragma('page_size', { simple: true }));
    database.pragma(
      `max_page_count = ${Math.max(1, Math.floor(this.#databaseBytesMax / pageBytes))}`,
    );
    database.exec('BEGIN');
  }

  #keepTrigger(statement: SqlStatement): void {
    this.#triggers.push(statement);
    this.#triggerCharacters += statement.text.length;
    if (this.#triggerCharacters > TRIGGER_CHARACTERS_MAX) {
      throw refusal('LIMIT_EXCEEDED', statement, 'there are too many triggers');
    }
  }

  #run(statement: SqlStatement, kind: 'setting' | 'run' | 'trigger' | 'schema'): void {
    const text = statementText(statement.text);
    if (text === null) throw refusal('VERIFY_FAILED', statement, 'it is not UTF-8');
    const database = this.#database;
    // Page size and encoding are not heeded any more within a transaction.
    if (kind !== 'setting' && !database.inTransaction) this.#begin();
    try {
      if (kind === 'schema') database.pragma('writable_schema = ON');
      runDefinition(database, text);
    } catch (error) {
      const index = isMissingDefinition(error) ? createdIndex(text) : null;
      if (index === null || !this.#skipsForeignIndexes) throw executionError(statement, error);
      this.#skippedIndexes.push(index);
    } finally {
      if (kind === 'schema') database.pragma('writable_schema = OFF');
    }
  }
}

function refusal(
  code: 'VERIFY_FAILED' | 'LIMIT_EXCEEDED' | 'UNSUPPORTED_FORMAT',
  { text, line }: SqlStatement,
  reason: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): Error {
  const start = (statementText(text.slice(0, SHOWN_CHARACTERS)) ?? text.slice(0, SHOWN_CHARACTERS))
    .trim()
    .replaceAll(/\s+/g, ' ');
  return cannot(code, 'load', 'SQL text', `line ${line}, ${JSON.stringify(start)}: ${reason}`, {
    ...options,
    details: { line, statement: start },
  });
}

export function incomplete(reason: string): Error {
  return cannot('VERIFY_FAILED', 'load', 'SQL text', reason, {
    hint: 'The text was cut short: get it again from where it came.',
  });
}

/** A disk that is full or fails keeps its own code; everything else is the statement's fault. */
function executionError(statement: SqlStatement, error: unknown): unknown {
  const code = systemCode(error) ?? '';
  const message = messageOf(error);
  if (/^SQLITE_(FULL|IOERR|NOMEM|CANTOPEN|READONLY|BUSY)/.test(code)) return error;
  if (code === 'SQLITE_TOOBIG') {
    return refusal('LIMIT_EXCEEDED', statement, message, { cause: error });
  }
  if (isMissingDefinition(error)) {
    return refusal('UNSUPPORTED_FORMAT', statement, message, {
      hint: 'Only the application has it. Take the database as a file (format "db") instead.',
      cause: error,
    });
  }
  return refusal('VERIFY_FAILED', statement, message, { cause: error });
}

function isMissingDefinition(error: unknown): boolean {
  return (
    systemCode(error) === 'SQLITE_ERROR_MISSING_COLLSEQ' ||
    /no such (collation|function|module)/.test(messageOf(error))
  );
}

/** The name of the index that the statement makes; null where it makes none. */
function createdIndex(text: string): string | null {
  const lexer = new SqlLexer(text);
  for (const word of ['CREATE', 'UNIQUE', 'INDEX', 'IF', 'NOT', 'EXISTS']) {
    if (lexer.isWord(word)) lexer.next();
    else if (word === 'CREATE' || word === 'INDEX') return null;
  }
  return lexer.name;
}
