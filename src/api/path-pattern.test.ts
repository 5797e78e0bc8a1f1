import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathMatcher } from './path-pattern.ts';

const matches = (pattern: string, path: string): boolean => pathMatcher(pattern)(path);

/** Every way tried, one after the other. */
function plainly([part, ...parts]: readonly string[], names: readonly string[]): boolean {
  if (part === undefined) return names.length === 0;
  if (part === '**') return [...names, ''].some((_, skip) => plainly(parts, names.slice(skip)));
  const text = part.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
  const [name] = names;
  return name !== undefined && new RegExp(`^${text}$`).test(name) && plainly(parts, names.slice(1));
}

describe('pathMatcher()', () => {
  it('M-D8: knows stars, question marks, classes, braces and directories', () => {
    const cases: [string, string, boolean][] = [
      ['*.db', 'data/app.db', true],
      ['*.db', 'data/app.db/x', false],
      ['data/*.db', 'data/app.db', true],
      ['data/*.db', 'data/sub/app.db', false],
      ['data/**', 'data/sub/app.db', true],
      ['**/*.db', 'app.db', true],
      ['data/**/x/**/y', 'data/a/b/x/c/y', true],
      ['?.txt', '😀.txt', true],
      ['[a-c]?', 'b1', true],
      ['[!a-c]?', 'b1', false],
      ['[]-]', '-', true],
      ['[a-', '[a-', true],
      ['{a,b{1,2}}.txt', 'b2.txt', true],
      ['{a}', '{a}', true],
      ['a\\*', 'a*', true],
      ['a\\*', 'ab', false],
      ['a(1)+', 'a(1)+', true],
      ['!a', '!a', true],
      ['.*', '.hidden', true],
      ['*', '.hidden', true],
    ];
    for (const [pattern, path, expected] of cases) {
      expect(matches(pattern, path), `${pattern} ${path}`).toBe(expected);
    }
  });

  it('agrees with a plain reading of stars, names and directories', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 4 });
    const name = word.filter((each) => !/^\.+$/.test(each));
    const part = fc.oneof(
      name,
      fc.constant('**'),
      fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 5 }),
    );
    const single = part.filter((each) => each === '**' || !each.includes('**'));
    fc.assert(
      fc.property(
        fc.array(single, { minLength: 2, maxLength: 4 }),
        fc.array(name, { minLength: 1, maxLength: 5 }),
        (parts, names) => {
          const [pattern, path] = [parts.join('/'), names.join('/')];
          expect(matches(pattern, path), `${pattern} ${path}`).toBe(plainly(parts, names));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes no longer for a hostile pattern: a regular expression would not end', () => {
    const name = 'a'.repeat(255);
    expect(matches(`${'*a'.repeat(500)}b`, name)).toBe(false);
    expect(matches(`${'*a'.repeat(100)}*`, name)).toBe(true);
    const deep = Array(2000).fill('a').join('/');
    expect(matches(`${'**/a/'.repeat(150)}b`, deep)).toBe(false);
  });

  it('refuses braces that stand for too much, and takes what is left open for itself', () => {
    expect(() => pathMatcher('{a,b}'.repeat(20))).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMS' }),
    );
    expect(matches('{a,b', '{a,b')).toBe(true);
    expect(matches('{'.repeat(1000), '{'.repeat(1000))).toBe(true);
  });
});
