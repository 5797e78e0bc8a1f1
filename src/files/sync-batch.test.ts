import { closeSync, fstatSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { observeDurableSteps } from './durable-steps.ts';
import { SyncBatch } from './sync-batch.ts';
import { failAtStep } from './testing/dying-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-sync-batch-'));
});
afterEach(async () => {
  observeDurableSteps(null);
  await rm(folder, { recursive: true });
});

const isOpen = (descriptor: number): boolean => {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
};

function newFiles(count: number): { descriptor: number; path: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const path = join(folder, String(index));
    return { descriptor: openSync(path, 'wx'), path };
  });
}

it('syncs every file once and closes it, however many there are', async () => {
  const synced: string[] = [];
  observeDurableSteps((step, path, moment) => {
    if (step === 'fsync' && moment === 'after') synced.push(path);
  });
  const files = newFiles(700);
  const batch = new SyncBatch();
  for (const { descriptor, path } of files) await batch.add(descriptor, path);
  await batch.settle();
  await batch.idle();
  expect(synced.sort()).toEqual(files.map(({ path }) => path).sort());
  expect(files.filter(({ descriptor }) => isOpen(descriptor))).toEqual([]);
});

it.each([1, 100, 400])(
  'says so when sync %i fails, and closes all files nevertheless',
  async (n) => {
    const files = newFiles(500);
    const batch = new SyncBatch();
    const given: number[] = [];
    const failing = failAtStep(n, 'EIO', async () => {
      try {
        for (const { descriptor, path } of files) {
          given.push(descriptor);
          await batch.add(descriptor, path);
        }
        await batch.settle();
      } finally {
        await batch.idle();
      }
    });
    await expect(failing).rejects.toMatchObject({ code: 'EIO' });
    expect(given.filter(isOpen)).toEqual([]);
    for (const { descriptor } of files.slice(given.length)) closeSync(descriptor);
  },
);
