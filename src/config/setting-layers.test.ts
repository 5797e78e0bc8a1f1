import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerPaths, overlaid, patched } from './setting-layers.ts';

describe('patched()', () => {
  it('M-34, M-D1: absent leaves, null takes back, 0 and false are values', () => {
    const layer = { watch: { quietMs: 5, pollMs: 7 }, maxFileBytes: 9 };
    expect(patched(layer, {})).toEqual(layer);
    expect(patched(layer, { watch: { quietMs: 0, enabled: false } })).toEqual({
      watch: { quietMs: 0, pollMs: 7, enabled: false },
      maxFileBytes: 9,
    });
    expect(patched(layer, { maxFileBytes: null, watch: { quietMs: null } })).toEqual({
      watch: { pollMs: 7 },
    });
    expect(patched(layer, { watch: null })).toEqual({ maxFileBytes: 9 });
  });

  it('T-D10: the last entry of a group can be taken back, and the group is gone with it', () => {
    expect(patched({ watch: { quietMs: 5 } }, { watch: { quietMs: null } })).toEqual({});
  });

  it('lists and policies are one value each, null in a policy included', () => {
    const layer = { tags: ['a', 'b'], retention: { keepLast: 5, keepDaily: 7 } };
    const patch = { tags: ['c'], retention: { keepLast: 3, preRestore: null } };
    expect(patched(layer, patch)).toEqual(patch);
  });

  it('refuses what nests too deeply', () => {
    let deep: Record<string, unknown> = {};
    for (let level = 0; level < 100; level += 1) deep = { group: deep };
    expect(() => patched({}, deep)).toThrow(/nests deeper/);
  });

  it('property: the inverse of a patch brings back what was there, whatever the patch', () => {
    const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string());
    const key = fc.constantFrom('a', 'b', 'c');
    const group = fc.dictionary(key, scalar, { minKeys: 1 });
    const layer = fc.dictionary(key, fc.oneof(scalar, group));
    fc.assert(
      fc.property(layer, layer, (before, patch) => {
        const after = patched(before, patch);
        const all = Object.fromEntries(Object.keys(after).map((each) => [each, null]));
        expect(patched(patched(after, all), before)).toEqual(before);
      }),
    );
  });
});

describe('overlaid()', () => {
  it('a layer wins, and what it does not say shows through', () => {
    const below = { logLevel: 'info', watch: { quietMs: 5, pollMs: 6 }, tags: ['x'] };
    expect(overlaid(below, { watch: { pollMs: 0 }, tags: [] })).toEqual({
      logLevel: 'info',
      watch: { quietMs: 5, pollMs: 0 },
      tags: [],
    });
    expect(overlaid(below, {})).toEqual(below);
  });

  it('a key called __proto__ is a key like any other', () => {
    const evil = JSON.parse('{"__proto__": {"polluted": 1}}');
    const result = overlaid(patched({}, evil), evil);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.keys(result)).toEqual(['__proto__']);
  });
});

it('layerPaths() names every leaf', () => {
  expect(layerPaths({ a: 1, watch: { b: 2, c: [3] }, retention: { keepLast: 1 } }, 's.')).toEqual([
    's.a',
    's.watch.b',
    's.watch.c',
    's.retention',
  ]);
});
