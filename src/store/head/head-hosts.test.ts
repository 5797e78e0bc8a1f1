import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import { acceptHead } from '../repository.ts';
import { testKey } from '../testing/encrypted-repository.ts';
import { HeadHistory, pictureOf, putBack, TestMemory } from '../testing/head-history.ts';
import { commitFile, rowBytes } from '../testing/scratch-repository.ts';

let history: HeadHistory;
let at: number;
beforeEach(async () => {
  history = await HeadHistory.create();
  at = 0;
});
afterEach(() => history.dispose());

async function take(memory: TestMemory): Promise<string> {
  at += 1;
  const writer = await history.writer(memory);
  const { id } = await commitFile(writer, rowBytes(1_000, at), null, at);
  await writer.close();
  return id;
}

const codes = async (memory: TestMemory): Promise<string[]> =>
  (await history.findings(memory.seen)).map(({ code }) => code);

const accept = (memory: TestMemory) =>
  acceptHead(history.path, { clock: systemClock, key: testKey, lockWaitMs: 0, memory });

describe('hosts that share a repository', () => {
  it('write in turns, and no one of them takes what the others did for a deed; nor does one whose memory is old', async () => {
    const [one, two] = [new TestMemory(), new TestMemory()];
    let old = null as TestMemory['seen'];
    for (let round = 0; round < 4; round += 1) {
      for (const host of [one, two]) {
        await take(host);
        for (const each of [one, two]) expect(await codes(each)).toEqual([]);
      }
      old ??= one.seen;
    }
    one.seen = old;
    expect(await codes(one)).toEqual([]);
    await take(one);
    expect(await codes(one)).toEqual([]);
  });

  it('all of them notice a step back, also when it was written to since, until each has accepted it', async () => {
    const [one, two] = [new TestMemory(), new TestMemory()];
    await take(one);
    const before = await pictureOf(history.path);
    for (let round = 0; round < 3; round += 1) for (const host of [one, two]) await take(host);
    await history.restore(before);
    // A third host that has never seen it, and one of those that have, write to it until it has caught up.
    const third = new TestMemory();
    for (let round = 0; round < 8; round += 1) {
      await take(round % 2 === 0 ? one : third);
      expect(await codes(one)).toEqual(['ROLLED_BACK']);
      expect(await codes(two)).toEqual(['ROLLED_BACK']);
    }
    expect((await accept(one)).map(({ code }) => code)).toEqual(['ROLLED_BACK']);
    expect(await codes(one)).toEqual([]);
    expect(await codes(two)).toEqual(['ROLLED_BACK']);
    await accept(two);
    for (const host of [one, two]) {
      await take(host);
      expect(await codes(host)).toEqual([]);
    }
  });

  it('a copy that was written to elsewhere is not taken for the repository, as many changes as it may have', async () => {
    const memory = new TestMemory();
    await take(memory);
    const copy = join(history.path, '..', 'copy');
    await cp(history.path, copy, { recursive: true });
    await take(memory);
    const mine = memory.seen;
    // As many changes on the copy, then more of them.
    const elsewhere = new TestMemory();
    await rm(history.path, { recursive: true });
    await cp(copy, history.path, { recursive: true });
    for (let round = 0; round < 5; round += 1) {
      await take(elsewhere);
      memory.seen = mine;
      expect(await codes(memory)).toEqual(['ROLLED_BACK']);
    }
  });
});

describe('what was changed by somebody without the key', () => {
  it('stays told of when the notes are written anew, and is no longer once it was accepted', async () => {
    const memory = new TestMemory();
    const id = await take(memory);
    const name = `notes/${id}.json`;
    const write = async (tags: string[], pinned: boolean): Promise<void> => {
      const writer = await history.writer(memory);
      await writer.writeNotes(id, { ...EMPTY_NOTES, tags, pinned });
      await writer.close();
    };
    await write(['old'], false);
    const old = await history.readAll(name);
    await write(['new'], true);
    await putBack(history.path, name, old);
    expect(await codes(memory)).toEqual(['NOTES_REPLACED']);
    // A verification, say, written into what was put back.
    await write(['old', 'verified'], false);
    expect(await codes(memory)).toEqual(['NOTES_REPLACED']);
    expect(await accept(memory)).toMatchObject([{ code: 'NOTES_REPLACED', path: name }]);
    expect(await codes(memory)).toEqual([]);
    expect((await history.check(memory.seen)).ok).toBe(true);
  });

  it('a missing head is made anew by accepting, and one line of changes follows on it', async () => {
    const memory = new TestMemory();
    await take(memory);
    await putBack(history.path, 'head.json', undefined);
    await take(memory);
    expect(await codes(memory)).toEqual(['HEAD_MISSING']);
    await accept(memory);
    await take(memory);
    expect(await codes(memory)).toEqual([]);
  });
});

it('beside a writer, nothing it does is taken for a deed', async () => {
  const memory = new TestMemory();
  await take(memory);
  let done = false;
  const writing = (async () => {
    for (let round = 0; round < 5; round += 1) {
      const id = await take(memory);
      const writer = await history.writer(memory);
      await writer.writeNotes(id, { ...EMPTY_NOTES, tags: ['a'] });
      if (round % 3 === 2) await writer.removeSnapshots([id]);
      await writer.close();
    }
    done = true;
  })();
  let looks = 0;
  while (!done) {
    expect(await history.findings(memory.seen)).toEqual([]);
    looks += 1;
  }
  await writing;
  expect(looks).toBeGreaterThan(3);
});
