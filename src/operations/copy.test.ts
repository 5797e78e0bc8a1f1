import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { EMPTY_NOTES } from '../store/manifests/manifest.ts';
import { checkRepository, initRepository, openReader } from '../store/repository.ts';
import type { StoreReader, StoreWriter } from '../store/store.ts';
import { allFiles, findPlanted } from '../store/testing/encrypted-repository.ts';
import { fileEntry, manifestOf, sourceOf } from '../store/testing/manifests.ts';
import { contentOf, noiseBytes, rowBytes, writerOf } from '../store/testing/scratch-repository.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { copy } from './copy.ts';
import { readKey } from './repository-key.ts';

const directoryEntry = (name: string, tree: string): TreeEntry => ({
  type: 'directory',
  name,
  mode: 0o750,
  uid: 1,
  gid: 1,
  mtimeNs: '1700000000000000001',
  tree,
});

let directory: string;
let from: string;
let to: string;
let keyFile: string;
let ids: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-copy-'));
  from = join(directory, 'repository');
  to = join(directory, 'encrypted');
  keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'ab'.repeat(32), { mode: 0o600 });
  await initRepository(from, { clock: systemClock });
  ids = [];
  const writer = await writerOf(from);
  for (let at = 0; at < 4; at += 1) ids.push(await take(writer, at, ids.at(-1) ?? null));
  await writer.writeNotes(ids[1]!, { ...EMPTY_NOTES, tags: ['kept'], pinned: true });
  await writer.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const image = (at: number): Buffer => {
  const bytes = Buffer.concat([rowBytes(400_000), noiseBytes(70_000)]);
  bytes.write(`change ${at}`, 70_000);
  return bytes;
};

/** A tree of two levels: one file that changes a little, one that never does, and an empty one. */
async function take(writer: StoreWriter, at: number, parent: string | null): Promise<string> {
  const activity = quietActivity();
  const changing = await writer.writeContent(sourceOf(image(at)), null, activity);
  const still = await writer.writeContent(sourceOf(rowBytes(90_000, 7)), null, activity);
  const empty = await writer.writeContent(sourceOf(Buffer.alloc(0)), null, activity);
  const below = await writer.writeTree([fileEntry('still-lebkuchen', still)]);
  const tree = await writer.writeTree([
    directoryEntry('below', below),
    fileEntry('changing', changing),
    fileEntry('empty', empty),
  ]);
  const capturedAt = new Date(Date.UTC(2026, 0, 1) + at * 1000).toISOString();
  const { id } = await writer.commitSnapshot(
    (statistics) => manifestOf(tree, statistics, { capturedAt, parent }),
    activity,
  );
  return id;
}

function run(target = to, activity: Activity = quietActivity()) {
  const settings = testSettings(directory);
  const context = {
    activity,
    settings,
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  return copy.run(context, { to: target, kind: 'keyFile', keyPath: keyFile });
}

const openCopy = async (): Promise<StoreReader> =>
  openReader(to, await readKey({ keyFile, passphraseFile: null, secret: null }, directory));

async function fileAt(reader: StoreReader, id: string, path: string): Promise<Buffer> {
  const entry = await reader.findEntry(await reader.readManifest(id), path);
  if (entry.type !== 'file') throw new Error(`${path} is a ${entry.type}`);
  return contentOf(reader, entry.content);
}

describe('copying a repository', () => {
  it('gives an encrypted one with every snapshot, in the same order, with its notes and parent; the old one stays', async () => {
    const before = readdirSync(join(from, 'packs'), { recursive: true }).sort();
    const result = await run();
    expect(result).toMatchObject({ copied: 4, present: 4, damaged: [] });
    const map = result['ids'] as Record<string, string>;
    const reader = await openCopy();
    expect(reader.listSnapshots().map(({ id }) => id)).toEqual(
      [...ids].reverse().map((id) => map[id]),
    );
    expect(reader.statistics()).toMatchObject({ encrypted: true, snapshots: 4, deltaChunks: 3 });
    for (const [at, id] of ids.entries()) {
      const copied = map[id]!;
      expect(copied).not.toBe(id);
      expect((await fileAt(reader, copied, 'data/changing')).equals(image(at))).toBe(true);
      const still = await fileAt(reader, copied, 'data/below/still-lebkuchen');
      expect(still.equals(rowBytes(90_000, 7))).toBe(true);
      expect(await fileAt(reader, copied, 'data/empty')).toHaveLength(0);
      const { parent, capturedAt } = await reader.readManifest(copied);
      expect(parent).toBe(at === 0 ? null : map[ids[at - 1]!]);
      expect(capturedAt).toContain(`:0${at}.`);
    }
    expect(await reader.readNotes(map[ids[1]!]!)).toMatchObject({ tags: ['kept'], pinned: true });
    reader.close();
    expect(findPlanted(await allFiles(to), ['lebkuchen', 'change 1'])).toEqual([]);
    expect(readdirSync(join(from, 'packs'), { recursive: true }).sort()).toEqual(before);
    const old = await openReader(from);
    expect(old.listSnapshots().map(({ id }) => id)).toEqual([...ids].reverse());
    old.close();
  });

  it('stopped in between it goes on where it was, and run again it copies what is new alone', async () => {
    const abort = new AbortController();
    const stopping: Activity = {
      ...quietActivity(),
      signal: abort.signal,
      progress: ({ filesDone }) => {
        if (filesDone === 2) abort.abort(new Error('stopped'));
      },
    };
    await expect(run(to, stopping)).rejects.toThrow('stopped');
    expect(await run()).toMatchObject({ copied: 2, present: 4 });
    const writer = await writerOf(from);
    await take(writer, 4, ids[3]!);
    await writer.close();
    expect(await run()).toMatchObject({ copied: 1, present: 5 });
    const reader = await openCopy();
    expect(reader.listSnapshots()).toHaveLength(5);
    reader.close();
  });

  it('a snapshot that cannot be read whole is left out and named; the others are copied', async () => {
    const file = join(from, 'snapshots', `${ids[2]}.json`);
    const bytes = readFileSync(file);
    const tree = JSON.parse(bytes.toString()).roots[0].tree as string;
    const header = (pack: Buffer): number => {
      const at = pack.indexOf(Buffer.from(tree, 'hex'));
      return at !== -1 && pack.toString('latin1', at - 16, at - 12) === 'HFrc' ? at - 16 : -1;
    };
    const { path, bytes: pack } = (await allFiles(join(from, 'packs'))).find(
      (each) => header(each.bytes) !== -1,
    )!;
    pack[header(pack) + 90]! ^= 1;
    writeFileSync(path, pack);
    const warnings: string[] = [];
    const activity = { ...quietActivity(), warn: (message: string) => void warnings.push(message) };
    const result = await run(to, activity);
    expect(result).toMatchObject({ copied: 3, damaged: [{ id: ids[2] }] });
    expect(warnings.join()).toContain(ids[2]!.slice(0, 8));
    const key = await readKey({ keyFile, passphraseFile: null, secret: null }, directory);
    const report = await checkRepository(to, { readData: 'all', key }, quietActivity());
    expect(report).toMatchObject({ ok: true, snapshots: 3 });
  });

  it('never into the repository, a source or around them, nor into one that another key opens', async () => {
    for (const place of [join(from, 'copy'), directory]) {
      await expect(run(place)).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    }
    const other = { kind: 'keyFile', bytes: Buffer.alloc(32, 1) } as const;
    await initRepository(to, { clock: systemClock, key: other });
    await expect(run()).rejects.toMatchObject({ code: 'KEY_WRONG' });
  });
});
