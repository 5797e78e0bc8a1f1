import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { readReport } from '../recovery/report-store.ts';
import { makeDatabase, rootPage, Workbench, zeroPage } from '../recovery/testing/workbench.ts';
import { openReader } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { annotate } from './annotate.ts';
import { reseal } from './reseal.ts';
import { verify } from './verify.ts';

let bench: Workbench;
let id: string;

beforeEach(async () => {
  bench = await Workbench.create();
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'));
  id = await bench.snapshot(['app.db']);
});
afterEach(() => bench.remove());

function context() {
  return {
    activity: quietActivity(),
    settings: testSettings(bench.directory, {
      stateDirectory: bench.state,
      repositoryDirectory: bench.repository,
      sources: [bench.source],
    }),
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: join(bench.state, 'scratch'),
  };
}

async function read<T>(use: (reader: StoreReader) => Promise<T>): Promise<T> {
  const reader = await openReader(bench.repository);
  try {
    return await use(reader);
  } finally {
    reader.close();
  }
}

const notesPath = (): string => join(bench.repository, 'notes', `${id}.json`);
const summary = () => read(async (reader) => reader.listSnapshots()[0]!);
const none = { addTags: [], removeTags: [] };

describe('annotate', () => {
  it('F38: tags and pins are kept, and change nothing else', async () => {
    await verify.run(context(), { snapshots: 'latest', deep: false });
    const changes = { snapshotIds: [id.slice(0, 8)], addTags: ['b', 'a', 'b'], removeTags: [] };
    await annotate.run(context(), { ...changes, pinned: true });
    expect(await summary()).toMatchObject({ tags: ['b', 'a'], pinned: true, verifiedOk: true });
    await annotate.run(context(), { snapshotIds: ['latest'], addTags: ['c'], removeTags: ['b'] });
    expect(await summary()).toMatchObject({ tags: ['a', 'c'], pinned: true });
    await annotate.run(context(), { snapshotIds: [id], ...none, pinned: false });
    expect(await summary()).toMatchObject({ tags: ['a', 'c'], pinned: false, verifiedOk: true });
  });

  it('changes no snapshot if one of them is not there', async () => {
    await expect(
      annotate.run(context(), { snapshotIds: [id, 'ffff'], ...none, pinned: true }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(existsSync(notesPath())).toBe(false);
  });

  it('damaged notes keep the snapshot pinned until a person says otherwise', async () => {
    await annotate.run(context(), { snapshotIds: [id], ...none, addTags: ['a'] });
    writeFileSync(notesPath(), readFileSync(notesPath(), 'utf8').replace('"a"', '"b"'));
    expect(await summary()).toMatchObject({ tags: [], pinned: true });
    await annotate.run(context(), { snapshotIds: [id], ...none, addTags: ['c'] });
    expect(await summary()).toMatchObject({ tags: ['c'], pinned: true });
  });
});

/** Overwrites one byte in the middle of every pack. */
function damagePacks(): void {
  const packs = join(bench.repository, 'packs');
  for (const name of readdirSync(packs, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.pack')) continue;
    const bytes = readFileSync(join(packs, name));
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    writeFileSync(join(packs, name), bytes);
  }
}

describe('reseal', () => {
  it('F24, Z-54: only after all of it verifies; the old verdict stays; recovery passes it over', async () => {
    await expect(reseal.run(context(), { snapshotId: id })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const packs = join(bench.repository, 'packs');
    const sound = readdirSync(packs, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.pack'))
      .map((name) => [join(packs, name), readFileSync(join(packs, name))] as const);
    damagePacks();
    await expect(verify.run(context(), { snapshots: 'latest', deep: true })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
    // The disk comes to its senses.
    for (const [path, bytes] of sound) writeFileSync(path, bytes);
    await reseal.run(context(), { snapshotId: id });
    expect(await summary()).toMatchObject({ verifiedOk: true, resealed: true });
    const { verifications } = await read((reader) => reader.readNotes(id));
    expect(verifications.map(({ ok }) => ok)).toEqual([false, true]);
    zeroPage(bench.path('app.db'), rootPage(bench.path('app.db'), 'notes'));
    const { databases } = await bench.recover({ mode: 'force' });
    const { candidates } = await readReport(bench.state, databases[0]!.reportId!);
    expect(candidates.length).toBeGreaterThan(0);
    expect(candidates.filter(({ snapshotId }) => snapshotId !== null)).toEqual([]);
  });

  it('Z-D7: bytes that changed are never blessed', async () => {
    damagePacks();
    await expect(verify.run(context(), { snapshots: 'latest', deep: true })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
    const before = readFileSync(notesPath());
    await expect(reseal.run(context(), { snapshotId: id })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
    expect(readFileSync(notesPath())).toEqual(before);
  });
});
