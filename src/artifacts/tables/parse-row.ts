import type { CellValue } from './cell-value.ts';
import { integerOf, markedValue, realOf } from './parse-value.ts';
import { RowProblem } from './row-problem.ts';
import { isWellFormed } from './text-encoding.ts';

/**
 * One row from one line of JSON. Not JSON.parse: it rounds integers, takes 1.0 for 1, and lets the last of equal names
 * win without a word. Nothing here becomes a property of an object, whatever it is called.
 */

/** `names` is null for an array. */
export interface ParsedRow {
  readonly names: readonly string[] | null;
  readonly values: readonly CellValue[];
}

/** More columns than SQLite allows, and the row id. */
const VALUES_MAX = 2_001;

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;
const NEEDS_UNESCAPING = /[^\u0020-\uffff]|\\/;

class RowParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ParsedRow {
    this.#skipBlanks();
    const row = this.#take('[') ? this.#array() : this.#take('{') ? this.#object() : null;
    if (row === null) throw new RowProblem('it is neither an array nor an object');
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return row;
  }

  #array(): ParsedRow {
    const values: CellValue[] = [];
    this.#skipBlanks();
    if (this.#take(']')) return { names: null, values };
    do {
      if (values.length === VALUES_MAX) throw new RowProblem('it has too many values');
      values.push(this.#value());
      this.#skipBlanks();
    } while (this.#take(','));
    this.#expect(']');
    return { names: null, values };
  }

  #object(): ParsedRow {
    const members = new Map<string, CellValue>();
    this.#skipBlanks();
    if (this.#take('}')) return { names: [], values: [] };
    do {
      if (members.size === VALUES_MAX) throw new RowProblem('it has too many values');
      const name = this.#member();
      if (members.has(name)) throw new RowProblem(`it names ${JSON.stringify(name)} twice`);
      members.set(name, this.#value());
      this.#skipBlanks();
    } while (this.#take(','));
    this.#expect('}');
    return { names: [...members.keys()], values: [...members.values()] };
  }

  /** The name of a member, up to its value. */
  #member(): string {
    this.#skipBlanks();
    const name = this.#string();
    this.#skipBlanks();
    this.#expect(':');
    return name;
  }

  #value(): CellValue {
    this.#skipBlanks();
    const character = this.#text[this.#at];
    if (character === '"') return this.#string();
    if (character === '{') return this.#marked();
    if (character === '[') throw new RowProblem('a value is an array');
    if (character === 't' || character === 'f' || character === 'n') return this.#word();
    return this.#number();
  }

  #marked(): CellValue {
    this.#expect('{');
    const marker = this.#member();
    this.#skipBlanks();
    if (this.#text[this.#at] !== '"') {
      throw new RowProblem('a value is an object that is no marked value');
    }
    const value = markedValue(marker, this.#string());
    this.#skipBlanks();
    this.#expect('}');
    return value;
  }

  #number(): CellValue {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw this.#unexpected();
    this.#at = NUMBER.lastIndex;
    const isInteger = match[1] === undefined && match[2] === undefined;
    return isInteger ? integerOf(match[0]) : realOf(match[0]);
  }

  #word(): CellValue {
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.#text)?.[0];
    if (word === undefined) throw this.#unexpected();
    this.#at = WORD.lastIndex;
    // SQLite has no truth values: it keeps them as numbers itself.
    return word === 'null' ? null : BigInt(word === 'true');
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') throw this.#unexpected();
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (end !== -1 && this.#isEscaped(end, start)) end = this.#text.indexOf('"', end + 1);
    if (end === -1) throw new RowProblem('it ends inside of a text');
    this.#at = end + 1;
    const content = this.#text.slice(start + 1, end);
    return NEEDS_UNESCAPING.test(content) ? unescaped(`"${content}"`) : content;
  }

  #isEscaped(quote: number, start: number): boolean {
    let before = quote - 1;
    while (before > start && this.#text.charCodeAt(before) === 0x5c) before -= 1;
    return (quote - before) % 2 === 0;
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x09 && code !== 0x0d) return;
      this.#at += 1;
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw this.#unexpected();
  }

  #unexpected(): RowProblem {
    const found = this.#text[this.#at];
    return new RowProblem(
      found === undefined
        ? 'it ends too early'
        : `it is no JSON: ${JSON.stringify(found)} at character ${this.#at + 1}`,
    );
  }
}

/** Of a JSON string, quotes included. */
function unescaped(json: string): string {
  let text: string;
  try {
    text = JSON.parse(json) as string;
  } catch {
    throw new RowProblem('a text is not escaped as JSON asks for');
  }
  if (!isWellFormed(text)) throw new RowProblem('a text has half of a surrogate pair');
  return text;
}

/**
 * Reads a row: an array or object whose values are null, text, numbers, truth values, or marked values (`{"$i":…}`).
 * A number without a marker is an INTEGER when it is written as one, and a REAL when it has a fraction or an exponent.
 * @throws RowProblem for everything else, before it takes any room: nesting, integers beyond 64 bits, equal names
 */
export function parseRow(text: string): ParsedRow {
  return new RowParser(text).parse();
}
