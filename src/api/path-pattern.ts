import { cannot } from '../kernel/errors.ts';

/**
 * Patterns that clients send, matched in the daemon itself: in time that grows with pattern times path, never more. A
 * pattern made into a regular expression can take longer than the daemon lives.
 * `*` and `?` stay within a name, `**` as a whole name stands for any directories, `[a-z]` and `[!a-z]` for a
 * character, `{a,b}` for either; `\` takes the meaning from the next character.
 */
export type PathMatcher = (path: string) => boolean;

/** `null` is `*`. */
type Token = ((character: string) => boolean) | null;
/** `null` is `**`. */
type NamePattern = readonly Token[] | null;

const ALTERNATIVES_MAX = 256;

/** A pattern without a slash is held against names, any other against whole logical paths. @throws INVALID_PARAMS */
export function pathMatcher(pattern: string): PathMatcher {
  const alternatives = expandBraces(pattern).map(readPattern);
  return (path) => {
    const names = path.split('/').map((name) => [...name]);
    return alternatives.some((alternative) =>
      alternative.length === 1
        ? matchesName(alternative[0]!, names.at(-1)!)
        : matchesInOrder(alternative, names, isAnyNames, matchesName),
    );
  };
}

const isAnyNames = (name: NamePattern): boolean => name === null;

function matchesName(name: NamePattern, characters: readonly string[]): boolean {
  return name === null || matchesInOrder(name, characters, isStar, isCharacter);
}

const isStar = (token: Token): boolean => token === null;
const isCharacter = (token: Token, character: string): boolean => token?.(character) === true;

/**
 * Items against parts of a pattern, some of which stand for any number of items. Only the last such part need ever be
 * tried again, so that the steps are at most items times parts.
 */
function matchesInOrder<Part, Item>(
  parts: readonly Part[],
  items: readonly Item[],
  isAny: (part: Part) => boolean,
  matches: (part: Part, item: Item) => boolean,
): boolean {
  let [part, item] = [0, 0];
  let [anyPart, anyItem] = [-1, 0];
  while (item < items.length) {
    if (part < parts.length && isAny(parts[part]!)) {
      [anyPart, anyItem] = [part, item];
      part += 1;
    } else if (part < parts.length && matches(parts[part]!, items[item]!)) {
      part += 1;
      item += 1;
    } else if (anyPart !== -1) {
      anyItem += 1;
      [part, item] = [anyPart + 1, anyItem];
    } else return false;
  }
  while (part < parts.length && isAny(parts[part]!)) part += 1;
  return part === parts.length;
}

/** The pattern once for every choice of its braces. What has no end or no comma stands for itself. */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const waiting = [pattern];
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const braces = firstBraces(text);
    if (braces === null) done.push(text);
    else {
      const { start, end, choices } = braces;
      waiting.push(
        ...choices.map((choice) => text!.slice(0, start) + choice + text!.slice(end + 1)),
      );
    }
    if (done.length + waiting.length > ALTERNATIVES_MAX) {
      const state = `its braces stand for more than ${ALTERNATIVES_MAX} patterns`;
      throw cannot('INVALID_PARAMS', 'search for', pattern, state, {
        hint: 'Search several times.',
      });
    }
  }
  return done;
}

/** The first braces within which there are none. */
function firstBraces(text: string): { start: number; end: number; choices: string[] } | null {
  let start = -1;
  let commas: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '{') [start, commas] = [at, []];
    else if (character === ',' && start !== -1) commas.push(at);
    else if (character === '}' && start !== -1) {
      if (commas.length > 0) return { start, end: at, choices: choicesOf(text, start, at, commas) };
      start = -1;
    }
  }
  return null;
}

function choicesOf(text: string, start: number, end: number, commas: readonly number[]): string[] {
  const edges = [start, ...commas, end];
  return edges.slice(1).map((edge, index) => text.slice(edges[index]! + 1, edge));
}

function readPattern(text: string): NamePattern[] {
  const characters = [...text];
  const names: NamePattern[] = [];
  let tokens: Token[] = [];
  let stars = 0;
  const endName = (): void => {
    names.push(stars > 1 && tokens.length === stars ? null : tokens);
    [tokens, stars] = [[], 0];
  };
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '/') endName();
    else if (character === '*') {
      tokens.push(null);
      stars += 1;
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const { token, end } = readClass(characters, at);
      tokens.push(token);
      at = end;
    } else {
      if (character === '\\' && at + 1 < characters.length) at += 1;
      const wanted = characters[at]!;
      tokens.push((each) => each === wanted);
    }
  }
  endName();
  return names;
}

/** `[` that is never closed is itself. */
function readClass(characters: readonly string[], start: number): { token: Token; end: number } {
  const negated = characters[start + 1] === '!' || characters[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  const ranges: [string, string][] = [];
  for (let at = first; at < characters.length; at += 1) {
    if (characters[at] === ']' && at > first) {
      const isIn = (each: string): boolean =>
        ranges.some(([low, high]) => codeOf(low) <= codeOf(each) && codeOf(each) <= codeOf(high));
      return { token: (each) => isIn(each) !== negated, end: at };
    }
    if (characters[at] === '\\' && at + 1 < characters.length) at += 1;
    const low = characters[at]!;
    const isRange = characters[at + 1] === '-' && (characters[at + 2] ?? ']') !== ']';
    ranges.push([low, isRange ? characters[at + 2]! : low]);
    if (isRange) at += 2;
  }
  return { token: (each) => each === '[', end: start };
}

const codeOf = (character: string): number => character.codePointAt(0)!;
