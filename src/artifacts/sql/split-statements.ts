import { cannot } from '../../kernel/errors.ts';

/** A statement without its semicolon. `text` holds one character per byte of the input. */
export interface SqlStatement {
  readonly text: string;
  /** Where it begins, from 1. */
  readonly line: number;
}

/** What the text inside is, until its closing mark comes. */
type Inside = 'code' | "'" | '"' | '`' | ']' | 'line' | 'block';

/** A trigger is a statement with statements in it; it ends with `; END ;`, as SQLite's own shell tells it. */
type TriggerState = 'start' | 'create' | 'other' | 'trigger' | 'semicolon' | 'end';

const WORD_CHARACTERS_MAX = 16;

/**
 * Cuts SQL text into statements while it comes in, in whatever pieces. Every byte is looked at once, so that a
 * statement of many pieces costs no more than its length; what is kept is the statement that is not yet complete.
 */
export class StatementSplitter {
  readonly #bytesMax: number;
  #parts: string[] = [];
  #partBytes = 0;
  #inside: Inside = 'code';
  #trigger: TriggerState = 'start';
  #word = '';
  /** The last character of code, where a mark of two characters may begin. */
  #before = 0;
  #hasCode = false;
  #line = 1;
  #startLine = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @throws LIMIT_EXCEEDED for a statement that is too long */
  *push(piece: string): Generator<SqlStatement> {
    let start = 0;
    let at = 0;
    while (at < piece.length) {
      if (this.#inside !== 'code') {
        at = this.#skipInside(piece, at);
        continue;
      }
      const code = piece.charCodeAt(at);
      at += 1;
      if (!this.#read(code)) continue;
      this.#keep(piece.slice(start, at - 1));
      start = at;
      yield this.#take();
    }
    this.#keep(piece.slice(start));
  }

  /** What came after the last complete statement. */
  get rest(): string {
    return this.#parts.join('');
  }

  /** The statement that has begun and not ended; null where nothing but blanks and comments is left. */
  get unfinished(): SqlStatement | null {
    if (!this.#hasCode && this.#inside !== 'block') return null;
    return { text: this.#parts.join(''), line: this.#startLine };
  }

  #keep(text: string): void {
    if (text === '') return;
    this.#partBytes += text.length;
    if (this.#partBytes > this.#bytesMax) {
      throw cannot(
        'LIMIT_EXCEEDED',
        'load',
        'SQL text',
        `the statement of line ${this.#startLine} is longer than ${this.#bytesMax} bytes`,
      );
    }
    this.#parts.push(text);
  }

  #take(): SqlStatement {
    const statement = { text: this.#parts.join(''), line: this.#startLine };
    this.#parts = [];
    this.#partBytes = 0;
    this.#hasCode = false;
    this.#trigger = 'start';
    this.#startLine = this.#line;
    return statement;
  }

  /** Goes to behind the closing mark, or to the end of the piece. */
  #skipInside(piece: string, from: number): number {
    if (this.#inside === 'block') return this.#skipBlock(piece, from);
    const mark = this.#inside === 'line' ? '\n' : this.#inside;
    const found = piece.indexOf(mark, from);
    const end = found < 0 ? piece.length : found + 1;
    this.#countLines(piece, from, end);
    if (found >= 0) this.#inside = 'code';
    return end;
  }

  #skipBlock(piece: string, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const code = piece.charCodeAt(at);
      if (code === NEWLINE) this.#line += 1;
      if (code === SLASH && this.#before === STAR) {
        this.#inside = 'code';
        this.#before = 0;
        return at + 1;
      }
      this.#before = code;
    }
    return piece.length;
  }

  #countLines(piece: string, from: number, end: number): void {
    let at = piece.indexOf('\n', from);
    while (at >= 0 && at < end) {
      this.#line += 1;
      at = piece.indexOf('\n', at + 1);
    }
  }

  /** One character of code; true when it ends the statement. */
  #read(code: number): boolean {
    if (isWordCharacter(code)) {
      if (this.#word.length < WORD_CHARACTERS_MAX) this.#word += String.fromCharCode(code);
      this.#before = code;
      this.#begin();
      return false;
    }
    if (this.#word !== '') this.#endWord();
    const before = this.#before;
    this.#before = code;
    if (code === SEMICOLON) return this.#endsAtSemicolon();
    if (code === NEWLINE) this.#line += 1;
    if (isBlank(code)) return false;
    if (code === DASH && before === DASH) this.#enterComment('line');
    else if (code === STAR && before === SLASH) this.#enterComment('block');
    else if (code === QUOTE) this.#inside = "'";
    else if (code === DOUBLE_QUOTE) this.#inside = '"';
    else if (code === BACKTICK) this.#inside = '`';
    else if (code === BRACKET) this.#inside = ']';
    // A single dash or slash may be the start of a comment: the next character tells.
    if (code !== DASH && code !== SLASH && this.#inside !== 'line' && this.#inside !== 'block') {
      this.#begin();
      this.#afterOther();
    }
    return false;
  }

  #enterComment(comment: 'line' | 'block'): void {
    this.#inside = comment;
    // What opens a comment does not close it, nor does it open the next one.
    this.#before = 0;
  }

  #begin(): void {
    if (this.#hasCode) return;
    this.#hasCode = true;
    this.#startLine = this.#line;
  }

  #afterOther(): void {
    if (this.#trigger === 'start' || this.#trigger === 'create') this.#trigger = 'other';
    else if (this.#trigger === 'semicolon' || this.#trigger === 'end') this.#trigger = 'trigger';
  }

  #endWord(): void {
    const word = this.#word.toUpperCase();
    this.#word = '';
    const state = this.#trigger;
    if (state === 'start' && word === 'CREATE') this.#trigger = 'create';
    else if (state === 'create' && /^(TEMP|TEMPORARY)$/.test(word)) return;
    else if (state === 'create' && word === 'TRIGGER') this.#trigger = 'trigger';
    else if (state === 'semicolon' && word === 'END') this.#trigger = 'end';
    else this.#afterOther();
  }

  #endsAtSemicolon(): boolean {
    if (this.#trigger === 'trigger' || this.#trigger === 'semicolon') {
      this.#trigger = 'semicolon';
      return false;
    }
    return true;
  }
}

const [NEWLINE, SEMICOLON, DASH, SLASH, STAR] = [10, 59, 45, 47, 42];
const [QUOTE, DOUBLE_QUOTE, BACKTICK, BRACKET] = [39, 34, 96, 91];

function isWordCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    code === 95 ||
    code >= 128 ||
    code === 36 ||
    (code >= 48 && code <= 57)
  );
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}
