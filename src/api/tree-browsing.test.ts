import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { initRepository } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { noiseBytes, writerOf } from '../store/testing/scratch-repository.ts';
import type { DirectoryEntry } from '../store/trees/tree-entry.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

const directory = (name: string, tree: string): DirectoryEntry => ({
  ...{ type: 'directory', mode: 0o750, uid: 0, gid: 0, mtimeNs: '1700000000000000000' },
  name,
  tree,
});

async function inWriter<Result>(work: (writer: StoreWriter) => Promise<Result>): Promise<Result> {
  const writer = await writerOf(fixture.settings.repositoryDirectory);
  try {
    return await work(writer);
  } finally {
    await writer.close();
  }
}

/** A directory with one file of the name. */
async function folderWith(writer: StoreWriter, name: string, seed: number): Promise<string> {
  const content = await writer.writeContent(
    sourceOf(noiseBytes(1000, seed)),
    null,
    quietActivity(),
  );
  return writer.writeTree([fileEntry(name, content)]);
}

const commit = (writer: StoreWriter, tree: string) =>
  writer.commitSnapshot((statistics) => manifestOf(tree, statistics), quietActivity());

function packs(): string[] {
  const root = join(fixture.settings.repositoryDirectory, 'packs');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(root, name));
}

it('M-D11, M-37: a directory is listed without a look into any other', async () => {
  await initRepository(fixture.settings.repositoryDirectory, { clock: systemClock });
  const lost = await inWriter(async (writer) => {
    const tree = await folderWith(writer, 'far', 1);
    await commit(writer, await writer.writeTree([directory('lost', tree)]));
    return tree;
  });
  const before = packs();
  const { id: snapshotId } = await inWriter(async (writer) => {
    const kept = await folderWith(writer, 'near', 2);
    return commit(
      writer,
      await writer.writeTree([directory('kept', kept), directory('lost', lost)]),
    );
  });
  for (const path of before) rmSync(path);
  const names = async (path: string): Promise<string[]> =>
    (await fixture.ask('tree.list', { snapshotId, path })).items.map(({ name }) => name);
  expect(await names('/data')).toEqual(['kept', 'lost']);
  expect(await names('/data/kept')).toEqual(['near']);
  // A failure is no empty directory.
  await expect(names('/data/lost')).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
});
