import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_CONTENT } from '../chunks/content.ts';
import { fileEntry } from '../testing/manifests.ts';
import { scratchRepository, type Writer, writerOf } from '../testing/scratch-repository.ts';
import { compareTrees, differenceOf } from './compare-trees.ts';
import type { TreeEntry } from './tree-entry.ts';
import { walkTree } from './walk-tree.ts';

let dispose: () => Promise<void>;
let writer: Writer;

beforeEach(async () => {
  const repository = await scratchRepository();
  dispose = repository.dispose;
  writer = await writerOf(repository.path);
});
afterEach(async () => {
  await writer.close();
  await dispose();
});

/** A directory by name: null is a file, a number a file of that time, an object a directory. */
interface Model {
  readonly [name: string]: number | Model;
}

const { tree: anyTree } = fc.letrec<{ tree: Model }>((tie) => ({
  tree: fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'a.b', 'é', 'z'),
    fc.oneof({ maxDepth: 3 }, fc.nat(2), tie('tree')),
    { maxKeys: 4 },
  ),
}));

const base = { mode: 0o755, uid: 0, gid: 0, mtimeNs: '0' };

async function store(model: Model): Promise<string> {
  const entries: TreeEntry[] = [];
  for (const [name, child] of Object.entries(model)) {
    if (typeof child === 'number') {
      entries.push({ ...fileEntry(name, EMPTY_CONTENT), mtimeNs: String(child) });
    } else {
      entries.push({ ...base, type: 'directory', name, tree: await store(child) });
    }
  }
  return writer.writeTree(entries);
}

/** Path → `d`, or the time of a file. */
function pathsOf(model: Model, prefix: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const [name, child] of Object.entries(model)) {
    const path = `${prefix}/${name}`;
    paths.set(path, typeof child === 'number' ? String(child) : 'd');
    if (typeof child === 'number') continue;
    for (const [below, what] of pathsOf(child, path)) paths.set(below, what);
  }
  return paths;
}

const read = (tree: string) => writer.reader.readTree(tree);

describe('compareTrees()', () => {
  it('F53: tells every path at which two trees differ, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, anyTree, async (left, right) => {
        const told = new Map<string, string | null>();
        const [before, after] = [await store(left), await store(right)];
        for await (const each of compareTrees(read, before, after, 'data')) {
          expect(told.has(each.path) && differenceOf(each.before, each.after) !== 'type').toBe(
            false,
          );
          told.set(each.path, differenceOf(each.before, each.after));
        }
        const [old, now] = [pathsOf(left, 'data'), pathsOf(right, 'data')];
        const differing = [...new Set([...old.keys(), ...now.keys()])].filter(
          (path) => old.get(path) !== now.get(path),
        );
        expect([...told.keys()].sort()).toEqual(differing.sort());
        for (const path of differing) {
          const kind = !old.has(path) ? 'added' : !now.has(path) ? 'removed' : null;
          if (kind !== null) expect(told.get(path)).toBe(kind);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('F53: reads nothing that both sides share', async () => {
    const shared: Model = { deep: { er: { a: 1, b: 1 } }, other: { c: 1 } };
    const [before, after] = [await store(shared), await store({ ...shared, new: 1 })];
    const seen: string[] = [];
    const noting = (tree: string) => {
      seen.push(tree);
      return read(tree);
    };
    const paths: string[] = [];
    for await (const { path } of compareTrees(noting, before, after, 'data')) paths.push(path);
    expect(paths).toEqual(['data/new']);
    expect(seen).toEqual([before, after]);
  });
});

describe('walkTree()', () => {
  it('F54: goes on behind any entry as if it had never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (model) => {
        const tree = await store(model);
        const all: string[] = [];
        for await (const { path } of walkTree(read, tree, 'data')) all.push(path);
        expect([...all].sort()).toEqual([...pathsOf(model, 'data').keys()].sort());
        for (const [index, path] of all.entries()) {
          const rest: string[] = [];
          const after = path.split('/').slice(1);
          for await (const each of walkTree(read, tree, 'data', after)) rest.push(each.path);
          expect(rest).toEqual(all.slice(index + 1));
        }
      }),
      { numRuns: 40 },
    );
  });
});
