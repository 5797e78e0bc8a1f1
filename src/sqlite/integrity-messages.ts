/**
 * What the findings of `quick_check` and `integrity_check` are about. The texts are those of SQLite's btree.c,
 * pragma.c and the full-text extensions, as the bundled version writes them.
 */

export type Finding =
  /** A b-tree: `rootPage` is looked up in `sqlite_schema`; 1 is the schema itself. */
  | { readonly about: 'tree'; readonly rootPage: number; readonly page: number | null }
  | { readonly about: 'freelist' }
  /** Pages that nothing refers to, or whose pointer map entry is wrong: no content is affected. */
  | { readonly about: 'space' }
  | { readonly about: 'index'; readonly index: string }
  | { readonly about: 'table'; readonly table: string }
  /** Values that break a constraint of their table: wrong for the application, not damage of the file. */
  | { readonly about: 'constraint'; readonly table: string }
  | { readonly about: 'full-text'; readonly table: string | null }
  /** Anything else; the file as a whole has to be distrusted. */
  | { readonly about: 'file' };

type Rule = readonly [RegExp, (match: RegExpExecArray) => Finding];

const RULES: readonly Rule[] = [
  [
    /^Tree (\d+)(?: page (\d+))?/,
    (match) => ({
      about: 'tree',
      rootPage: Number(match[1]),
      page: match[2] === undefined ? null : Number(match[2]),
    }),
  ],
  [/^Freelist: /, () => ({ about: 'freelist' })],
  [/^Page \d+: (?:never used|pointer map referenced)$/, () => ({ about: 'space' })],
  [/^(?:Bad ptr map entry|Failed to read ptrmap key)/, () => ({ about: 'space' })],
  [/^max rootpage \(\d+\) disagrees/, () => ({ about: 'space' })],
  [/^incremental_vacuum enabled with a max rootpage/, () => ({ about: 'space' })],
  [
    /^(?:row \d+ missing from|wrong # of entries in|non-unique entry in|row \d+ values differ from) index (.+)$/s,
    (match) => ({ about: 'index', index: match[1]! }),
  ],
  [
    /^rowid not at end-of-record for row \d+ of index (.+)$/s,
    (match) => ({ about: 'index', index: match[1]! }),
  ],
  [/^row not in PRIMARY KEY order for (.+)$/s, (match) => ({ about: 'table', table: match[1]! })],
  [/^CHECK constraint failed in (.+)$/s, (match) => ({ about: 'constraint', table: match[1]! })],
  [
    /^(?:NULL|NUMERIC|TEXT|non-[A-Z]+) value in (.+)\.[^.]*$/s,
    (match) => ({ about: 'constraint', table: match[1]! }),
  ],
  [
    /^(?:malformed inverted index|unable to validate the inverted index) for FTS\d table [^.]+\.([^:]+)/,
    (match) => ({ about: 'full-text', table: match[1]! }),
  ],
  [/^fts5: .* from table "(.+)"$/s, (match) => ({ about: 'full-text', table: match[1]! })],
  [/^fts5: /, () => ({ about: 'full-text', table: null })],
];

/** Reads one finding; a text that no rule knows is about the file. */
export function parseFinding(message: string): Finding {
  for (const [pattern, read] of RULES) {
    const match = pattern.exec(message);
    if (match !== null) return read(match);
  }
  return { about: 'file' };
}

/** True when rows break constraints and nothing else is wrong: the file is sound, and repair is no cure. */
export function isConstraintOnly(messages: readonly string[]): boolean {
  return messages.length > 0 && messages.every((each) => parseFinding(each).about === 'constraint');
}
