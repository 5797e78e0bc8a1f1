import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import { parseConfig, readConfigFile } from './config-file.ts';
import { ProblemList, validateConfiguration } from './validate-configuration.ts';

/** Null, or the error that a text ends with, through syntax and schema. */
function outcome(text: string): unknown {
  try {
    const document = parseConfig(text, 'test');
    const list = new ProblemList(document.locate, new Map());
    validateConfiguration(document.value, list);
    return list.problems[0] ?? null;
  } catch (error) {
    return error;
  }
}

const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'.split('').map((name, index) => {
    const before = 'abcdefgh'[index]!;
    return `${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`;
  }),
].join('\n');

describe('hostile configuration files', () => {
  it.each([
    ['duplicate keys', 'codec: none\ncodec: auto', /unique/i],
    ['an alias bomb', bomb, /alias/i],
    ['deep brackets', '['.repeat(50_000), /nests too deeply/],
    ['deep braces', '{a: '.repeat(50_000), /nests too deeply/],
    ['deep block lists', '- '.repeat(50_000), /nests too deeply/],
    [
      'deep indentation',
      Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /nests too deeply/,
    ],
    ['a tag of another language', 'codec: !!js/function "x"', /tag/i],
    ['a custom tag', 'codec: !secret x', /tag/i],
    ['two documents', 'codec: none\n---\ncodec: auto', /document/i],
    ['a broken quote', 'codec: "none', /quote/i],
    ['a tab for indentation', 'worker:\n\tmemoryBytesMax: 1', /tab/i],
    ['a key that is a list', '? [a, b]\n: c', /string/i],
    ['a merge of nowhere', '<<: *missing', /alias/i],
  ])('%s: refused with a reason', (_name, text, reason) => {
    const error = outcome(text);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(reason) });
  });

  it.each([
    ['__proto__: {polluted: true}'],
    ['constructor: {prototype: {polluted: true}}'],
    ['toString: x'],
    ['- a list'],
    ['just text'],
    ['42'],
  ])('%s: refused by the schema, and nothing is polluted', (text) => {
    expect(outcome(text)).toMatchObject({ message: expect.any(String) });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('an empty file is an empty configuration', () => {
    for (const text of ['', '\n', '# nothing', '---\n', '{}']) expect(outcome(text)).toBeNull();
  });

  it('any text ends in a value or in CONFIG_INVALID with a position, never in another error', () => {
    const piece = fc.constantFrom(
      'sources:',
      '- ',
      '  ',
      '\n',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '&a',
      '*a',
      '"',
      "'",
      '!',
      '|',
      '>',
      '#',
      'name',
      'watch',
      '\t',
      '%',
      '@',
      '?',
      '\u0000',
      '🦊',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const found = outcome(pieces.join(''));
        if (found instanceof Error) {
          expect(found).toMatchObject({ name: 'HoldfastError', code: 'CONFIG_INVALID' });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads no more than its bound, no directory and no other encoding', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-config-'));
    try {
      const path = join(directory, 'holdfast.yaml');
      await writeFile(path, '');
      await truncate(path, 2 ** 40);
      await expect(readConfigFile(path)).rejects.toThrow(/larger than 1 MiB/);
      await expect(readConfigFile(directory)).rejects.toThrow(/not a regular file/);
      await writeFile(path, Buffer.from([0x63, 0xff, 0xfe]));
      await expect(readConfigFile(path)).rejects.toThrow(/not UTF-8/);
      await expect(readConfigFile(join(path, 'x'))).rejects.toMatchObject({ code: 'IO_ERROR' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
