import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { WriteBehind } from './write-behind.ts';

const MEBIBYTE = 1024 * 1024;

async function withFile(run: (handle: FileHandle) => Promise<void>): Promise<void> {
  const path = join(tmpdir(), `holdfast-write-behind-${process.pid}-${Math.random()}`);
  const handle = await open(path, 'wx');
  try {
    await run(handle);
  } finally {
    await handle.close();
    await rm(path);
  }
}

it('begins when there is much to write, one at a time, and never for little', async () => {
  await withFile(async (handle) => {
    const syncs = vi.spyOn(handle, 'datasync');
    const behind = new WriteBehind(handle);
    behind.wrote(63 * MEBIBYTE);
    expect(syncs).not.toHaveBeenCalled();
    behind.wrote(MEBIBYTE);
    behind.wrote(64 * MEBIBYTE);
    expect(syncs).toHaveBeenCalledTimes(1);
    await behind.settle();
    behind.wrote(1);
    expect(syncs).toHaveBeenCalledTimes(2);
    await behind.settle();
  });
});

it('a failure is told before the sync that would not tell it again', async () => {
  await withFile(async (handle) => {
    // A medium that fails at this very moment is not to be had.
    vi.spyOn(handle, 'datasync').mockRejectedValueOnce(
      Object.assign(new Error('EIO'), { code: 'EIO' }),
    );
    const behind = new WriteBehind(handle);
    behind.wrote(64 * MEBIBYTE);
    await expect(behind.settle()).rejects.toMatchObject({ code: 'EIO' });
  });
});
