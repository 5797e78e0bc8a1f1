import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../format/canonical-json.ts';
import { layoutOf, manifestPath } from '../layout.ts';
import { checkRepository, openReader } from '../repository.ts';
import { manifestOf } from '../testing/manifests.ts';
import {
  activity,
  commitFile,
  rowBytes,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';
import type { Manifest } from './manifest.ts';

let path: string;
let dispose: () => Promise<void>;
let sound: Manifest;
let soundId: string;

beforeEach(async () => {
  ({ path, dispose } = await scratchRepository());
  const writer = await writerOf(path);
  soundId = (await commitFile(writer, rowBytes(100))).id;
  sound = await writer.reader.readManifest(soundId);
  await writer.close();
});
afterEach(() => dispose());

/** Puts a manifest in place whose name is right whatever it says. */
async function plant(text: string): Promise<string> {
  const id = createHash('sha256').update(text).digest('hex');
  await writeFile(manifestPath(layoutOf(path), id), text);
  return id;
}

const hostile: [string, string, () => string][] = [
  ['a future format', 'UNSUPPORTED_FORMAT', () => JSON.stringify({ ...sound, format: 2 })],
  ['an unknown field', 'REPO_CORRUPT', () => JSON.stringify({ ...sound, extra: 1 })],
  ['a missing field', 'REPO_CORRUPT', () => JSON.stringify({ ...sound, roots: undefined })],
  [
    'a tree that is no id',
    'REPO_CORRUPT',
    () => JSON.stringify(sound).replace(sound.roots[0]!.tree!, '../..'),
  ],
  [
    'a time that is none',
    'REPO_CORRUPT',
    () => JSON.stringify({ ...sound, capturedAt: 'yesterday' }),
  ],
  ['endless nesting', 'REPO_CORRUPT', () => '['.repeat(200_000)],
  ['null', 'REPO_CORRUPT', () => 'null'],
  ['nothing', 'REPO_CORRUPT', () => ''],
];

describe('a hostile manifest', () => {
  it.each(hostile)(
    'T-09, T-D16, Z-43: %s is refused as %s, not listed, and stops nobody',
    async (_name, code, text) => {
      const id = await plant(text());
      const reader = await openReader(path);
      await expect(reader.readManifest(id)).rejects.toMatchObject({ code });
      expect(reader.listSnapshots().map((each) => each.id)).toEqual([soundId]);
      reader.close();
      const report = await checkRepository(path, { readData: 'all' }, activity);
      expect(report.findings).toMatchObject([{ code: 'SNAPSHOT_DAMAGED' }]);
      const writer = await writerOf(path);
      expect(writer.reconciled.snapshotsUnreadable).toEqual([id]);
      expect(writer.reader.listSnapshots().map((each) => each.id)).toEqual([soundId]);
      await writer.close();
    },
  );

  it('whose tree names objects that are nowhere is found by the check', async () => {
    const lost = 'ab'.repeat(32);
    await plant(canonicalJson({ ...sound, roots: [{ ...sound.roots[0]!, tree: lost }] }));
    const report = await checkRepository(path, { readData: 'none' }, activity);
    expect(report).toMatchObject({ ok: false, errors: 1 });
    expect(report.findings[0]).toMatchObject({ code: 'CONTENT_DAMAGED' });
  });

  it('that is a folder is an error of the system, not a hang', async () => {
    await mkdir(manifestPath(layoutOf(path), 'cd'.repeat(32)));
    const reader = await openReader(path);
    await expect(reader.readManifest('cd'.repeat(32))).rejects.toMatchObject({ code: 'EISDIR' });
    reader.close();
  });
});

describe('commitSnapshot()', () => {
  it('refuses a manifest that a reader would refuse, and publishes nothing', async () => {
    const writer = await writerOf(path);
    const tree = await writer.writeTree([]);
    const attempt = writer.commitSnapshot(
      (statistics) => ({ ...manifestOf(tree, statistics), skewMs: -1 }),
      activity,
    );
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    const unknownTree = writer.commitSnapshot(
      (statistics) => manifestOf('ef'.repeat(32), statistics),
      activity,
    );
    await expect(unknownTree).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    expect(writer.reader.listSnapshots()).toHaveLength(1);
    await writer.close();
  });
});
