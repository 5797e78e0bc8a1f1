/** A piece of SQL text as SQLite reads it. */
export type TokenType = 'word' | 'name' | 'string' | 'blob' | 'number' | 'symbol' | 'end';

const NUMBER = /(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y;
const WORD = /[A-Za-z_\x80-\uffff][A-Za-z0-9_$\x80-\uffff]*/y;
const BLANK = /[ \t\n\v\f\r]+/y;

/**
 * Walks the tokens of one statement: `type` and `text` are those of the current one, blanks and comments left out.
 * What is no token of SQL is a symbol.
 */
export class SqlLexer {
  readonly source: string;
  type: TokenType = 'end';
  start = 0;
  end = 0;

  constructor(source: string) {
    this.source = source;
    this.next();
  }

  get text(): string {
    return this.source.slice(this.start, this.end);
  }

  /** The current word in capitals; empty for anything else. */
  get keyword(): string {
    return this.type === 'word' ? this.text.toUpperCase() : '';
  }

  /** The name that the token gives to something, its quotes removed; null when it can be none. */
  get name(): string | null {
    if (this.type === 'word') return this.text;
    if (this.type !== 'name' && this.type !== 'string') return null;
    const inner = this.source.slice(this.start + 1, this.end - 1);
    const quote = this.source[this.start]!;
    return quote === '[' ? inner : inner.replaceAll(quote + quote, quote);
  }

  is(symbol: string): boolean {
    return this.type === 'symbol' && this.source[this.start] === symbol;
  }

  isWord(word: string): boolean {
    return this.keyword === word;
  }

  isEnd(): boolean {
    return this.type === 'end';
  }

  next(): void {
    this.#skipBlanks();
    this.start = this.end;
    if (this.start >= this.source.length) {
      this.type = 'end';
      return;
    }
    this.type = this.#readToken(this.source[this.start]!);
  }

  #readToken(first: string): TokenType {
    if (first === "'") return this.#quoted("'", 'string');
    if (first === '"' || first === '`') return this.#quoted(first, 'name');
    if (first === '[') return this.#quoted(']', 'name');
    if ((first === 'x' || first === 'X') && this.source[this.start + 1] === "'") {
      this.end += 1;
      return this.#quoted("'", 'blob');
    }
    if (this.#match(WORD)) return 'word';
    if (this.#match(NUMBER)) return 'number';
    this.end += 1;
    return 'symbol';
  }

  /** A doubled quote is one inside; a bracket has no such thing. */
  #quoted(close: string, type: TokenType): TokenType {
    let at = this.end + 1;
    for (;;) {
      const found = this.source.indexOf(close, at);
      if (found < 0) {
        this.end = this.source.length;
        return 'symbol';
      }
      if (close === ']' || this.source[found + 1] !== close) {
        this.end = found + 1;
        return type;
      }
      at = found + 2;
    }
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.end;
    if (!pattern.test(this.source)) return false;
    this.end = pattern.lastIndex;
    return true;
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.source.charCodeAt(this.end);
      if (code === 32 || (code >= 9 && code <= 13)) this.#match(BLANK);
      else if (code === 45 && this.source[this.end + 1] === '-') this.#skipTo('\n', 1);
      else if (code === 47 && this.source[this.end + 1] === '*') this.#skipTo('*/', 2);
      else return;
    }
  }

  #skipTo(mark: string, length: number): void {
    const found = this.source.indexOf(mark, this.end + 2);
    this.end = found < 0 ? this.source.length : found + length;
  }
}
