import picomatch from 'picomatch';

/** What a source names of its files; of no patterns, all. Remembers which of them ever matched. */
export class IncludePatterns {
  readonly #patterns: readonly { text: string; matches: (path: string) => boolean }[];
  readonly #matched = new Set<string>();

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((text) => ({ text, matches: picomatch(text, { dot: true }) }));
  }

  /** A file is held that matches, or that is in a directory that does. */
  holds(logicalPath: string): boolean {
    if (this.#patterns.length === 0) return true;
    let isHeld = false;
    for (const { text, matches } of this.#patterns) {
      if (!matchesAtOrAbove(logicalPath, matches)) continue;
      this.#matched.add(text);
      isHeld = true;
    }
    return isHeld;
  }

  get unmatched(): readonly string[] {
    return this.#patterns.map(({ text }) => text).filter((text) => !this.#matched.has(text));
  }
}

function matchesAtOrAbove(path: string, matches: (path: string) => boolean): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1)) {
    if (matches(path.slice(0, at))) return true;
  }
  return false;
}
