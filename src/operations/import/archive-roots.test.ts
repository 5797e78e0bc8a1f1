import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testSource } from '../../config/testing/settings.ts';
import { freshDirectory, removeDirectory } from '../../sqlite/testing/directories.ts';
import { rootsIn } from './archive-roots.ts';

let directory: string;
let tree: string;
let elsewhere: string;
beforeEach(() => {
  directory = freshDirectory();
  [tree, elsewhere] = [join(directory, 'tree'), join(directory, 'elsewhere')];
  for (const path of [tree, elsewhere, join(elsewhere, 'more')]) mkdirSync(path);
  writeFileSync(join(elsewhere, 'secret'), 'not in the archive');
});
afterEach(() => removeDirectory(directory));

const source = () =>
  testSource({
    roots: [
      { class: 'data', name: null, path: join(directory, 'data'), required: true },
      { class: 'extra', name: 'more', path: join(directory, 'more'), required: true },
    ],
  });

it('finds the roots of a source that an archive holds', async () => {
  for (const path of ['data', 'extra', 'extra/more']) mkdirSync(join(tree, path));
  const roots = await rootsIn(tree, source(), 'a.tar');
  expect([...roots.keys()].sort()).toEqual(['data', 'extra/more']);
});

it('T-34, C-02: never takes what a symlink of the archive leads to for the archive’s own', async () => {
  for (const plant of [
    () => symlinkSync(elsewhere, join(tree, 'data')),
    () => symlinkSync(elsewhere, join(tree, 'extra')),
    () => {
      mkdirSync(join(tree, 'extra'));
      symlinkSync(elsewhere, join(tree, 'extra', 'more'));
    },
  ]) {
    removeDirectory(tree);
    mkdirSync(tree);
    plant();
    await expect(rootsIn(tree, source(), 'a.tar')).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
  }
});
