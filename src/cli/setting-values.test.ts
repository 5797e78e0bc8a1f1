import { describe, expect, it } from 'vitest';
import { assignments, patchDocument } from './setting-values.ts';

describe('assignments()', () => {
  it('M-34, M-D1: null, 0, text and lists, nested by dots', () => {
    const words = [
      'watch.quietMs=10s',
      'watch.pollMs=0',
      'retention=null',
      'exclude=["data/x/**"]',
      'enabled=false',
      'name=a=b',
    ];
    expect(assignments(words)).toEqual({
      watch: { quietMs: '10s', pollMs: 0 },
      retention: null,
      exclude: ['data/x/**'],
      enabled: false,
      name: 'a=b',
    });
  });

  it.each(['', 'watch', '=x', 'watch.=x', '.x=1'])('refuses "%s"', (word) => {
    expect(() => assignments([word])).toThrow(expect.objectContaining({ code: 'INVALID_PARAMS' }));
  });
});

it('patchDocument() takes a JSON object and nothing else', () => {
  expect(patchDocument('{"a": 1}', 'file')).toEqual({ a: 1 });
  for (const text of ['', '[]', 'null', '3', '{"a"']) {
    expect(() => patchDocument(text, 'file')).toThrow(/no JSON object/);
  }
});
