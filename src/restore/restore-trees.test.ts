import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pictureOf } from '../files/testing/tree-picture.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import { Workplace } from './testing/stored-tree.ts';

type Node =
  | { kind: 'file'; bytes: number; mode: number; timeUs: number }
  | { kind: 'symlink'; target: string }
  | { kind: 'directory'; mode: number; children: Record<string, Node> };

const oddName = fc
  .string({
    unit: fc.constantFrom('a', 'b', 'é', ' ', '*', '\\', '-', '.', '日'),
    minLength: 1,
    maxLength: 12,
  })
  .filter((text) => text !== '.' && text !== '..');
const name = fc.oneof(fc.constantFrom('a', 'b', 'c'), oddName);
const file = fc.record({
  kind: fc.constant('file' as const),
  bytes: fc.constantFrom(0, 1, 1000, 65_536, 65_537, 140_000),
  mode: fc.constantFrom(0o600, 0o644, 0o755, 0o400, 0o000),
  timeUs: fc.integer({ min: 1, max: 2 ** 50 }),
});
const link = fc.record({
  kind: fc.constant('symlink' as const),
  target: fc.constantFrom('a', '../..', '/etc/passwd', 'nowhere', '.'),
});
const { tree } = fc.letrec<{ tree: Node; children: Record<string, Node> }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    file,
    link,
    fc.record({
      kind: fc.constant('directory' as const),
      mode: fc.constantFrom(0o700, 0o755, 0o500),
      children: tie('children'),
    }),
  ),
  children: fc.dictionary(name, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
}));
const forest = fc.dictionary(name, tree, { minKeys: 1, maxKeys: 5, noNullPrototype: true });

async function plant(directory: string, children: Record<string, Node>): Promise<void> {
  for (const [each, node] of Object.entries(children)) {
    const path = join(directory, each);
    if (node.kind === 'symlink') {
      await symlink(node.target, path);
    } else if (node.kind === 'directory') {
      await mkdir(path);
      await plant(path, node.children);
      await chmod(path, node.mode);
    } else {
      await writeFile(path, Buffer.alloc(node.bytes, `${each}${node.timeUs}`));
      await utimes(path, node.timeUs / 1e6, node.timeUs / 1e6);
      await chmod(path, node.mode);
    }
  }
}

describe('any tree of files, directories and symlinks', () => {
  it('comes back exactly, to a directory and over a tree of other things', async () => {
    await fc.assert(
      fc.asyncProperty(forest, forest, async (wanted, others) => {
        const work = await Workplace.make();
        try {
          const data = work.at('data');
          await mkdir(data);
          await plant(data, wanted);
          const id = await work.snapshot([{ class: 'data', name: null, path: data }]);
          const { '.': _root, ...expected } = await pictureOf(data);
          await work.read((reader) =>
            restoreSnapshot(
              work.request(id, { target: { type: 'directory', path: work.at('out') } }),
              reader,
              quietActivity(),
              systemClock,
            ),
          );
          const { '.': _made, ...restored } = await pictureOf(work.at('out', 'data'));
          expect(restored).toEqual(expected);
          await restoreOver(work, id, others, expected);
        } finally {
          await work.remove();
        }
      }),
      { numRuns: 25 },
    );
  });
});

/** In place over something else: either refused with nothing changed, or all of the snapshot is there. */
async function restoreOver(
  work: Workplace,
  id: string,
  others: Record<string, Node>,
  expected: Record<string, string>,
): Promise<void> {
  const path = work.at('other');
  await mkdir(path);
  await plant(path, others);
  const before = await pictureOf(path);
  const roots = [{ class: 'data' as const, name: null, path, required: true }];
  const request = work.request(id, { target: { type: 'in-place', roots } });
  const refused = await work
    .read((reader) => restoreSnapshot(request, reader, quietActivity(), systemClock))
    .then(
      () => null,
      (error: { code: string }) => error.code,
    );
  if (refused !== null) {
    expect(['PATH_UNSAFE', 'TARGET_NOT_EMPTY']).toContain(refused);
    expect(await pictureOf(path)).toEqual(before);
    return;
  }
  const withoutTime = (text: string | undefined) => text?.replace(/ \d{5,}/, '');
  const after = await pictureOf(path);
  for (const [each, what] of Object.entries(expected)) {
    // What had the same content and mode already is not touched, so that its time is its own.
    expect(withoutTime(after[each]), each).toBe(withoutTime(what));
  }
}
