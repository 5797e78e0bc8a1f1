import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLogicalPath, isInside, realpathOfPlanned, resolveBelow } from './safe-path.ts';

const refused = (path: string): unknown => {
  try {
    checkLogicalPath(path);
    return null;
  } catch (error) {
    return (error as { code: unknown }).code;
  }
};

describe('checkLogicalPath', () => {
  it.each([
    ['..', 'a step out'],
    ['../x', 'a step out at the start'],
    ['a/../../x', 'a step out in the middle'],
    ['a/..', 'a step out at the end'],
    ['.', 'the directory itself'],
    ['a/./b', 'a step on the spot'],
    ['/etc/passwd', 'an absolute path'],
    ['', 'nothing'],
    ['a//b', 'an empty component'],
    ['a/', 'an empty last component'],
    ['a\0b', 'a NUL byte'],
    ['a/\ud800', 'a name that has no UTF-8 form'],
    [`a/${'n'.repeat(256)}`, 'a component of 256 bytes'],
    [`a/${'ä'.repeat(128)}`, 'a component of 128 characters and 256 bytes'],
    [Array(500).fill('123456789').join('/'), 'a path of more than 4096 bytes'],
  ])('refuses %j: %s', (path) => {
    expect(refused(path)).toBe('PATH_UNSAFE');
  });

  it('takes every plain name, however odd', () => {
    for (const path of [
      'data/a[1]*.txt',
      'data/..x',
      'data/x..',
      'data/a b\n',
      'data/😀',
      'data/\\',
    ]) {
      expect(checkLogicalPath(path)).toEqual(path.split('/'));
    }
    expect(refused(`a/${'n'.repeat(255)}`)).toBeNull();
  });

  it('F-10: whatever is accepted stays inside the directory it is put in', () => {
    const pieces = fc.constantFrom('a', '..', '.', '', '/', 'b\0', '...', '-', 'é');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const path = parts.join('/');
        if (refused(path) !== null) return;
        expect(isInside(join('/srv/data', path), '/srv/data')).toBe(true);
        expect(join('/srv/data', path)).toBe(`/srv/data/${path}`);
      }),
    );
  });
});

describe('isInside', () => {
  it.each([
    ['/srv/data', '/srv/data', true],
    ['/srv/data/x', '/srv/data', true],
    ['/srv/data-evil', '/srv/data', false],
    ['/srv', '/srv/data', false],
    ['/srv/..data', '/srv', true],
    ['/x', '/', true],
    ['/srv/Data/x', '/srv/data', false],
  ])('Z-D12: %s in %s: %s', (child, parent, expected) => {
    expect(isInside(child, parent)).toBe(expected);
  });
});

describe('below a root', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'safe-path-'));
    await mkdir(join(root, 'real'));
    await writeFile(join(root, 'file'), '');
    await symlink('real', join(root, 'link'));
    await symlink('/nowhere/at/all', join(root, 'dangling'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('a symlinked parent is refused, also one that leads back inside; a symlink at the end is not followed', async () => {
    await expect(resolveBelow(root, ['link', 'x'])).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    expect(await resolveBelow(root, ['link'])).toEqual({ path: join(root, 'link'), existing: 1 });
  });

  it('a file on the way is refused, and what does not exist is counted', async () => {
    await expect(resolveBelow(root, ['file', 'x'])).rejects.toMatchObject({
      code: 'NOT_A_DIRECTORY',
    });
    expect(await resolveBelow(root, ['real', 'a', 'b'])).toMatchObject({ existing: 1 });
  });

  it('the real path of something planned resolves its existing part, and refuses a dangling symlink', async () => {
    expect(await realpathOfPlanned(join(root, 'link', 'a', 'b'))).toBe(
      join(root, 'real', 'a', 'b'),
    );
    await expect(realpathOfPlanned(join(root, 'dangling', 'x'))).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
  });
});
