import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileArtifactStore } from '../artifacts/portable/file-store.ts';
import { sealManifest } from '../artifacts/portable/manifest.ts';
import { referenceOf } from '../artifacts/portable/reference.ts';
import { piecesOf, sampleFacts } from '../artifacts/portable/testing/sample.ts';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { artifactHandlers } from './artifact.ts';

let directory: string;
let store: FileArtifactStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'artifacts-'));
  store = new FileArtifactStore(join(directory, 'artifacts'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function list(params: { limit?: number; cursor?: string | null } = {}) {
  const settings = testSettings(directory, { stateDirectory: directory });
  const answer = artifactHandlers['artifact.list'];
  return answer({ limit: 100, ...params }, { settings } as never, {} as never);
}

async function put(payload: string, atMs: number): Promise<string> {
  const { manifest, text } = sealManifest(sampleFacts(payload), null);
  const ref = referenceOf('snapshots/', manifest.checksum, atMs);
  await store.put(ref, piecesOf(payload), text, quietActivity());
  return ref;
}

it('F19, C-19: artifact.list tells what is in the store, newest first, page by page, and which are damaged', async () => {
  expect(await list()).toEqual({ items: [], nextCursor: null });
  const refs: string[] = [];
  for (let day = 1; day <= 5; day += 1)
    refs.unshift(await put(`day ${day}`, Date.UTC(2026, 0, day)));
  await writeFile(join(directory, 'artifacts', `${refs[1]}.manifest.json`), '{}');
  const { digest } = sealManifest(sampleFacts('day 5'), null).manifest;
  await store.setAlias('snapshots/latest', { ref: refs[0]!, digest });
  const all = await list();
  expect(all.items.map(({ ref }) => ref)).toEqual(refs);
  expect(all.items[0]).toMatchObject({
    aliases: ['snapshots/latest'],
    database: 'data/app.db',
    modelVersion: 1,
    cursor: '18446744073709551615',
    signedWith: null,
  });
  expect(all.items[1]).toMatchObject({ kind: null, createdAt: null, cursor: null });
  const first = await list({ limit: 2 });
  // What the page ended with goes meanwhile: the next page goes on behind it.
  await rm(join(directory, 'artifacts', `${refs[1]}.manifest.json`));
  const second = await list({ limit: 2, cursor: first.nextCursor });
  const third = await list({ limit: 2, cursor: second.nextCursor });
  const paged = [...first.items, ...second.items, ...third.items];
  expect(paged.map(({ ref }) => ref)).toEqual(refs);
  expect(third.nextCursor).toBeNull();
});
