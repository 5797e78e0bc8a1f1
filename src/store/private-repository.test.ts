import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { acquireLease, initRepository } from './repository.ts';
import { commitFile, rowBytes, scratchFolder, writerOf } from './testing/scratch-repository.ts';

let home: string;
let dispose: () => Promise<void>;
let umask: number;

beforeEach(async () => {
  ({ path: home, dispose } = await scratchFolder());
  umask = process.umask(0);
});
afterEach(async () => {
  process.umask(umask);
  await dispose();
});

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o7777).toString(8);

it('F-06: a repository is made with its parents, and nobody else can look into it, whatever the umask', async () => {
  const path = join(home, 'deep', 'repository');
  await initRepository(path, { clock: systemClock });
  const writer = await writerOf(path);
  const { id } = await commitFile(writer, rowBytes(1000));
  await writer.writeNotes(id, { tags: ['x'], pinned: false, verifications: [] });
  const lease = await acquireLease(path, id, 'test', systemClock);
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  expect(names.length).toBeGreaterThan(8);
  for (const entry of names) {
    const at = join(entry.parentPath, entry.name);
    expect(await modeOf(at), at).toBe(entry.isDirectory() ? '700' : '600');
  }
  expect(await modeOf(path)).toBe('700');
  expect(await modeOf(dirname(path))).toBe('700');
  await lease.release();
  await writer.close();
});

it('F-06: a folder that was there keeps its mode; what is put into it is private', async () => {
  const path = join(home, 'shared');
  await mkdir(path, { mode: 0o755 });
  await initRepository(path, { clock: systemClock });
  expect(await modeOf(path)).toBe('755');
  for (const name of await readdir(path)) {
    expect(await modeOf(join(path, name))).toMatch(/^[67]00$/);
  }
});
