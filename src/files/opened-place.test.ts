import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { open, readdir, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inOwnDirectory, isOpenedAt, isOpenedIn, withDirectory } from './opened-place.ts';

let root: string;
let inside: string;
let outside: string;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'place-')));
  [inside, outside] = [join(root, 'inside'), join(root, 'outside')];
  for (const directory of [inside, outside]) mkdirSync(directory);
  for (const directory of [inside, outside]) await writeFile(join(directory, 'file'), directory);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What an attacker does between a look and a use. */
function exchange(): void {
  renameSync(inside, `${inside}.real`);
  symlinkSync(outside, inside);
}

it('Z-D12: a file that was opened through an exchanged directory is not the one of that path', async () => {
  const path = join(inside, 'file');
  const before = await open(path);
  expect(isOpenedIn(before.fd, inside, path)).toBe(true);
  await before.close();
  exchange();
  const after = await open(path);
  expect(await after.readFile('utf8')).toBe(outside);
  expect(isOpenedIn(after.fd, inside, path)).toBe(false);
  await after.close();
});

it('a file that is renamed or removed while it is open is still of its directory', async () => {
  const path = join(inside, 'file');
  const handle = await open(path);
  renameSync(path, `${path}.1`);
  expect(isOpenedIn(handle.fd, inside, path)).toBe(true);
  rmSync(`${path}.1`);
  expect(isOpenedIn(handle.fd, inside, path)).toBe(true);
  await handle.close();
});

it('Z-D12: nothing is done in a directory that is a symlink by now', async () => {
  exchange();
  const work = inOwnDirectory(join(inside, 'new'), (place) => writeFile(place, 'x'));
  await expect(work).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
  await expect(withDirectory(inside, async () => {})).rejects.toMatchObject({
    code: 'PATH_UNSAFE',
  });
  mkdirSync(join(`${inside}.real`, 'sub'));
  mkdirSync(join(outside, 'sub'));
  const below = inOwnDirectory(join(inside, 'sub', 'new'), (place) => writeFile(place, 'x'));
  await expect(below).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
  expect(await readdir(join(outside, 'sub'))).toEqual([]);
});

it.runIf(process.platform === 'linux')(
  'Z-D12: what was begun in a directory ends there, though it is exchanged in the middle',
  async () => {
    await inOwnDirectory(join(inside, 'moved'), async (place) => {
      exchange();
      await rename(join(outside, 'file'), place);
    });
    expect(await readdir(outside)).toEqual([]);
    expect(await readdir(`${inside}.real`)).toEqual(['file', 'moved']);
    const handle = await open(`${inside}.real`);
    expect(isOpenedAt(handle.fd, inside)).toBe(false);
    await handle.close();
  },
);
