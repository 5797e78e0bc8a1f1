import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_CONTENT } from '../chunks/content.ts';
import { layoutOf, notesPath } from '../layout.ts';
import { openReader } from '../repository.ts';
import type { StoreReader } from '../store.ts';
import { fileEntry, manifestOf } from '../testing/manifests.ts';
import { activity, scratchRepository, writerOf } from '../testing/scratch-repository.ts';
import type { Notes } from './manifest.ts';
import { encodeManifest } from './manifest-file.ts';
import { writeNotesFile } from './notes-file.ts';

let path: string;
let dispose: () => Promise<void>;
let reader: StoreReader;
let ids: string[];

const tagged = (tag: string): Notes => ({ tags: [tag], pinned: false, verifications: [] });

/** Manifests as they would be published, without the waiting for a disk. */
async function publish(count: number): Promise<void> {
  const writer = await writerOf(path);
  const tree = await writer.writeTree([fileEntry('a', EMPTY_CONTENT)]);
  const statistics = writer.statistics();
  await writer.commitSnapshot((after) => manifestOf(tree, after), activity);
  await writer.close();
  ids = Array.from({ length: count }, (_, index) => {
    const capturedAt = new Date(Date.UTC(2027, 0, 1) + index * 1000).toISOString();
    const { id, bytes } = encodeManifest(
      layoutOf(path),
      manifestOf(tree, statistics, { capturedAt }),
    );
    writeFileSync(join(path, 'snapshots', `${id}.json`), bytes);
    return id;
  }).reverse();
}

beforeEach(async () => {
  ({ path, dispose } = await scratchRepository());
});
afterEach(async () => {
  reader.close();
  await dispose();
});

const tagsOf = (id: string): readonly string[] =>
  reader.listSnapshots().find((summary) => summary.id === id)!.tags;

describe('the list of snapshots', () => {
  it('F20, M-25: a change of notes is seen at once, however soon after another', async () => {
    await publish(3);
    reader = await openReader(path);
    for (let round = 0; round < 200; round += 1) {
      const id = ids[round % 3]!;
      await writeNotesFile(layoutOf(path), id, tagged(`t${round}`));
      expect(tagsOf(id)).toEqual([`t${round}`]);
    }
    const file = notesPath(layoutOf(path), ids[0]!);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"t', '"u'));
    rmSync(notesPath(layoutOf(path), ids[1]!));
    expect(tagsOf(ids[1]!)).toEqual([]);
  });

  it('F20, M-25: snapshots that come and go are seen at once', async () => {
    await publish(3);
    reader = await openReader(path);
    expect(reader.listSnapshots().map(({ id }) => id)).toEqual([...ids, expect.any(String)]);
    rmSync(join(path, 'snapshots', `${ids[0]}.json`));
    expect(reader.listSnapshots().map(({ id }) => id)).toEqual([
      ...ids.slice(1),
      expect.any(String),
    ]);
    expect(reader.resolveSnapshot('latest')).toBe(ids[1]);
  });

  it('F20: of 10,000 snapshots, none is read a second time', async () => {
    await publish(10_000);
    reader = await openReader(path);
    expect(reader.listSnapshots()).toHaveLength(10_001);
    // Were one of them read again, it would be no snapshot any more.
    for (const id of ids) writeFileSync(join(path, 'snapshots', `${id}.json`), '');
    const again = reader.listSnapshots();
    expect(again).toHaveLength(10_001);
    expect(again[0]!.id).toBe(ids[0]);
    expect(reader.resolveSnapshot(ids[77]!.slice(0, 16))).toBe(ids[77]);
  });
});
