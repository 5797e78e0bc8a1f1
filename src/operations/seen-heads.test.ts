import { rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { headMemory, seenHead } from './seen-heads.ts';

let stateDirectory: string;
beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'holdfast-seen-'));
});
afterEach(() => rmSync(stateDirectory, { recursive: true, force: true }));

const places = (at: number) => ({ stateDirectory, repositoryDirectory: `/repository-${at}` });
const mark = (generation: number) => ({
  repositoryId: 'id',
  line: 'a'.repeat(32),
  generation,
  digest: 'b'.repeat(32),
});

it('remembers the last head of each repository, of those that were written to last', async () => {
  for (let at = 0; at < 20; at += 1) await (await headMemory(places(at))).remember(mark(at + 1));
  await (await headMemory(places(10))).remember(mark(99));
  expect(await seenHead(places(10))).toEqual(mark(99));
  expect((await headMemory(places(19))).seen).toEqual(mark(20));
  expect(await seenHead(places(0))).toBeNull();
  expect(statSync(join(stateDirectory, 'repository-heads.json')).mode & 0o777).toBe(0o600);
});

it('begins anew where nothing is remembered, or what is cannot be read', async () => {
  expect(await seenHead(places(1))).toBeNull();
  for (const text of ['', '{"format":2}', '[]']) {
    writeFileSync(join(stateDirectory, 'repository-heads.json'), text);
    expect(await seenHead(places(1))).toBeNull();
  }
  await (await headMemory(places(1))).remember(mark(3));
  expect(await seenHead(places(1))).toEqual(mark(3));
});
