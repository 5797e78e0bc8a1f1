import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryPath } from './durable.ts';
import { freeBytes, requireFreeSpace } from './free-space.ts';
import { mountOf } from './mounts.ts';
import { isInside } from './safe-path.ts';
import {
  chooseStagingDirectory,
  cleanLeftoverStaging,
  removeStaging,
  removeUnfinishedRegistrations,
  STAGING_NAME,
} from './staging.ts';

let home: string;
let state: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'staging-'));
  state = join(home, 'state');
  await mkdir(join(home, 'data'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const target = (): string => join(home, 'data', 'missing', 'app.db');

describe('a staging directory', () => {
  it('is private, in the state directory where that is on the target’s file system', async () => {
    const path = await chooseStagingDirectory(target(), [join(home, 'data')], state);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(isInside(path, state)).toBe(true);
    expect(await readdir(join(home, 'data'))).toEqual([]);
    await removeStaging(path, state);
    expect(await readdir(join(state, 'staging'))).toEqual([]);
  });

  it('stands on the target’s own file system, outside the roots, where the state directory is elsewhere', async (context) => {
    const elsewhere = await mkdtemp('/dev/shm/staging-').catch(() => null);
    if (elsewhere === null) return context.skip('there is no /dev/shm');
    try {
      if ((await mountOf(elsewhere)).id === (await mountOf(home)).id) {
        return context.skip('/dev/shm is on the same file system as the temporary directory');
      }
      const root = join(elsewhere, 'data');
      await mkdir(root);
      const path = await chooseStagingDirectory(join(root, 'app.db'), [root], state);
      expect(basename(path)).toMatch(STAGING_NAME);
      expect((await mountOf(path)).id).toBe((await mountOf(root)).id);
      expect(isInside(path, root)).toBe(false);
      await removeStaging(path, state);
      // With every directory up to the mount forbidden, there is only the target's own.
      const last = await chooseStagingDirectory(join(root, 'app.db'), ['/'], state);
      expect(isInside(last, root)).toBe(true);
      expect(basename(last)).toMatch(STAGING_NAME);
      await removeStaging(last, state);
      expect(await readdir(root)).toEqual([]);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });
});

describe('leftover staging', () => {
  it('goes when its process is gone, and stays while it lives', async () => {
    const mine = await chooseStagingDirectory(target(), [], state);
    const other = await chooseStagingDirectory(target(), [], state);
    await writeFile(join(other, 'half'), 'written');
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    const file = join(state, 'staging', `${basename(other)}.json`);
    const record = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, pid: gone }));
    expect(await cleanLeftoverStaging(state)).toEqual([other]);
    expect((await readdir(join(state, 'staging'))).sort()).toEqual(
      [basename(mine), `${basename(mine)}.json`].sort(),
    );
  });

  it('of which only half a registration was written leaves nothing behind', async () => {
    const path = await chooseStagingDirectory(target(), [], state);
    const half = temporaryPath(join(state, 'staging', `${basename(path)}.json`));
    await writeFile(half, '{"pa');
    await removeUnfinishedRegistrations(state);
    expect((await readdir(join(state, 'staging'))).sort()).toEqual(
      [basename(path), `${basename(path)}.json`].sort(),
    );
  });

  it('of a process whose id was given to another goes too', async () => {
    const path = await chooseStagingDirectory(target(), [], state);
    const file = join(state, 'staging', `${basename(path)}.json`);
    const record = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, processStart: '1' }));
    expect(await cleanLeftoverStaging(state)).toEqual([path]);
  });

  it('a registration that names anything else removes nothing else', async () => {
    const path = await chooseStagingDirectory(target(), [], state);
    const file = join(state, 'staging', `${basename(path)}.json`);
    const record = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(join(home, 'data', 'precious'), '');
    await writeFile(
      file,
      JSON.stringify({ ...record, path: join(home, 'data'), processStart: '1' }),
    );
    await cleanLeftoverStaging(state);
    expect(await readdir(join(home, 'data'))).toEqual(['precious']);
  });

  it('stays while a swap is unfinished, for the swap may need it', async () => {
    const path = await chooseStagingDirectory(target(), [], state);
    const file = join(state, 'staging', `${basename(path)}.json`);
    const record = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, processStart: '1' }));
    await mkdir(join(state, 'swaps', 'one'), { recursive: true });
    await writeFile(join(state, 'swaps', 'one', 'journal.json'), '{}');
    expect(await cleanLeftoverStaging(state)).toEqual([]);
    await removeStaging(path, state);
    expect((await stat(path)).isDirectory()).toBe(true);
  });
});

describe('requireFreeSpace', () => {
  it('refuses what does not fit with a tenth to spare, and takes what does', async () => {
    await requireFreeSpace(home, 1000, 'write to');
    const free = await freeBytes(home);
    await expect(requireFreeSpace(home, Math.floor(free * 0.95), 'write to')).rejects.toMatchObject(
      {
        code: 'NO_SPACE',
        retryable: true,
      },
    );
  });
});
