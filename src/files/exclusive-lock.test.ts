import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { acquireExclusiveLock, readLockHolder } from './exclusive-lock.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-lock-'));
  path = join(directory, 'lock.db');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const acquire = () =>
  acquireExclusiveLock(path, {
    purpose: 'test',
    waitMs: 0,
    code: 'REPO_LOCKED',
    clock: systemClock,
  });

it('Z-D3: a hint that cannot be written costs neither the lock nor its release', async () => {
  // What stands there lets nobody write a file, as a full disk does.
  mkdirSync(join(directory, 'lock.db.holder', 'x'), { recursive: true });
  const lock = await acquire();
  expect(readLockHolder(path)).toBeNull();
  await expect(acquire()).rejects.toMatchObject({ code: 'REPO_LOCKED' });
  lock.release();
  (await acquire()).release();
});
