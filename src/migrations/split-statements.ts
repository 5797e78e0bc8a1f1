import { cannot } from '../kernel/errors.ts';

/** One statement of a script. */
export interface ScriptStatement {
  readonly sql: string;
  /** Where it begins, from 1. */
  readonly line: number;
  /** Its first words, upper case: at most two. */
  readonly words: readonly string[];
}

/** Spaces and comments; quoted text and names; words and numbers; any other character. */
const TOKEN =
  /(?<space>\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<quoted>'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`|\[[^\]]*\])|(?<word>[\p{L}_$\d][\p{L}_$\d]*)|(?<other>[\s\S])/gu;

const OPENS = new Set(["'", '"', '`', '[']);

/** Whether what follows `;` still belongs to a trigger, as SQLite's own shell decides it: up to `; END ;`. */
class TriggerBody {
  #words: string[] = [];
  #isTrigger = false;
  /** The tokens since the last semicolon inside the body: nothing, END alone, or something else. */
  #since: 'nothing' | 'end' | 'more' = 'more';

  see(token: string): void {
    if (this.#isTrigger) {
      this.#since = this.#since === 'nothing' && token === 'END' ? 'end' : 'more';
      return;
    }
    this.#words.push(token);
    this.#isTrigger = /^(?:EXPLAIN (?:QUERY PLAN )?)?CREATE (?:TEMP |TEMPORARY )?TRIGGER$/.test(
      this.#words.join(' '),
    );
    if (this.#words.length > 8) this.#words.length = 8;
  }

  /** True where the semicolon ends the statement. */
  endsAtSemicolon(): boolean {
    if (!this.#isTrigger || this.#since === 'end') return true;
    this.#since = 'nothing';
    return false;
  }
}

/**
 * The statements of a script, in order, without empty ones.
 * @throws INVALID_PARAMS for a quote that is never closed, naming its line
 */
export function splitStatements(script: string): ScriptStatement[] {
  const statements: ScriptStatement[] = [];
  let body = new TriggerBody();
  let start: number | null = null;
  let line = 1;
  let startLine = 1;
  let words: string[] = [];
  const finish = (end: number): void => {
    if (start !== null) statements.push({ sql: script.slice(start, end), line: startLine, words });
    body = new TriggerBody();
    start = null;
    words = [];
  };
  for (const match of script.replace(/^\uFEFF/, ' ').matchAll(TOKEN)) {
    const [token] = match;
    const { space, other, word } = match.groups as Record<string, string | undefined>;
    if (space === undefined) {
      if (other !== undefined && OPENS.has(other)) {
        throw cannot('INVALID_PARAMS', 'read SQL', `line ${line}`, `${other} is never closed`);
      }
      if (other === ';') {
        if (start === null || body.endsAtSemicolon()) finish(match.index);
      } else {
        if (start === null) [start, startLine] = [match.index, line];
        if (words.length < 2) words = [...words, word?.toUpperCase() ?? token];
        body.see(word?.toUpperCase() ?? token);
      }
    }
    for (const character of token) if (character === '\n') line += 1;
  }
  finish(script.length);
  return statements;
}
