import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../config/settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { makeDatabase, query, Workbench } from '../recovery/testing/workbench.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import { openReader } from '../store/repository.ts';
import { backup } from './backup.ts';
import { deleteSnapshots } from './delete.ts';
import { drill } from './drill.ts';
import type { OperationContext } from './operation.ts';
import { recover } from './recover.ts';
import { restore } from './restore/restore.ts';
import { verify } from './verify.ts';
import { TOOL_VERSION } from './version.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.create();
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal' });
  await writeFile(bench.path('note.txt'), 'first');
});
afterEach(() => bench.remove());

const context = (changes: Partial<Settings> = {}): OperationContext => ({
  activity: quietActivity(),
  settings: testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [bench.source],
    ...changes,
  }),
  clock: systemClock,
  jobId: 'job-1',
  scratchDirectory: join(bench.state, 'scratch'),
});

async function take(params: object = {}): Promise<string> {
  const result = await backup.run(context(), backup.params.parse(params));
  return result['snapshotId'] as string;
}

const bytesOf = (id: string): Buffer =>
  readFileSync(join(bench.repository, 'snapshots', `${id}.json`));
const manifestOf = (id: string): Manifest => JSON.parse(bytesOf(id).toString());

describe('what a snapshot says of itself', () => {
  it('Z-20, Z-22: its id is the SHA-256 of its bytes, and nothing that it names depends on where the repository is', async () => {
    const id = await take();
    expect(createHash('sha256').update(bytesOf(id)).digest('hex')).toBe(id);
    expect(bytesOf(id).toString()).not.toContain(bench.repository);
  });

  it('Z-21: what it holds has logical names, whatever the directories are called', async () => {
    const { roots, databases } = manifestOf(await take());
    expect(roots.map(({ prefix, path }) => [prefix, path])).toEqual([['data', bench.data]]);
    expect(databases.map(({ path }) => path)).toEqual(['data/app.db']);
  });

  it('Z-23: the version of the program, of the format, and of the schema of each database', async () => {
    query(bench.path('app.db'), (database) => database.pragma('user_version = 42'));
    const { format, tool, databases } = manifestOf(await take());
    expect({ format, tool }).toEqual({
      format: 1,
      tool: { name: 'holdfast', version: TOOL_VERSION },
    });
    expect(databases).toMatchObject([{ path: 'data/app.db', userVersion: 42 }]);
  });

  it('Z-13: who caused it, which nobody can make up', async () => {
    for (const origin of ['manual', 'schedule', 'change'] as const) {
      expect(manifestOf(await take({ origin, reason: 'why' }))).toMatchObject({
        origin,
        reason: 'why',
      });
    }
    for (const origin of ['auto', 'checkpoint', '', 'pre-restore']) {
      expect(backup.params.safeParse({ origin }).success, origin).toBe(false);
    }
  });

  it('Z-13, Z-26, Z-39, Z-45: one that a restore takes of what it replaces says so, and is taken unless refused', async () => {
    const id = await take();
    await writeFile(bench.path('note.txt'), 'second');
    const run = (more: object) =>
      restore.run(
        context(),
        restore.params.parse({ snapshotId: id, target: { type: 'in-place' }, ...more }),
      );
    const { preRestoreSnapshotId } = await run({});
    expect(manifestOf(preRestoreSnapshotId as string)).toMatchObject({
      origin: 'pre-restore',
      reason: `before the restore of ${id.slice(0, 8)}`,
      jobId: 'job-1',
    });
    await writeFile(bench.path('note.txt'), 'third');
    expect(await run({ checkpoint: false })).toMatchObject({ preRestoreSnapshotId: null });
    expect(readdirSync(join(bench.repository, 'snapshots'))).toHaveLength(2);
  });
});

describe('a repository that was moved', () => {
  it('Z-D27, Z-20: is whole where it is now, and no name that a caller gives leads out of it', async () => {
    const id = await take();
    const moved = join(bench.directory, 'elsewhere');
    await rename(bench.repository, moved);
    const there = context({ repositoryDirectory: moved });
    const deep = verify.params.parse({ snapshots: [id], deep: true });
    expect(await verify.run(there, deep)).toMatchObject({ ok: true });
    for (const outside of ['../../data/app', '/etc/passwd', '..', `${id}/../${id}`]) {
      const remove = deleteSnapshots.run(there, { snapshotIds: [outside], force: true });
      await expect(remove, outside).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await deleteSnapshots.run(there, { snapshotIds: [id], force: true });
    expect(await readdir(join(moved, 'snapshots'))).toEqual([]);
    expect((await readdir(bench.data)).sort()).toEqual(['app.db', 'note.txt']);
  });
});

describe('what is done unless it is told otherwise', () => {
  it('Z-38: a restore in place brings all classes back over what exists, checked, after a snapshot of it', async () => {
    const id = await take();
    await writeFile(bench.path('note.txt'), 'second');
    query(bench.path('app.db'), (database) => database.exec('CREATE TABLE late (x)'));
    const params = { snapshotId: id, target: { type: 'in-place' }, replaceDatabases: true };
    const result = await restore.run(context(), restore.params.parse(params));
    expect(result).toMatchObject({ overwritten: 2, dryRun: false });
    expect(result['preRestoreSnapshotId']).toEqual(expect.any(String));
    expect(readFileSync(bench.path('note.txt'), 'utf8')).toBe('first');
    expect(restore.params.parse(params)).toMatchObject({
      ...{ classes: [], paths: [], mode: 'merge', check: 'quick', checkpoint: true, dryRun: false },
    });
  });

  it('Z-01: a source that takes no snapshots by itself still takes them by hand', async () => {
    const off = context({ sources: [{ ...bench.source, enabled: false }] });
    const { snapshotId } = await backup.run(off, backup.params.parse({ sourceId: 'app' }));
    expect(manifestOf(snapshotId as string).origin).toBe('manual');
  });
});

describe('what a job does to the application', () => {
  it('Z-100, Z-D1: no checkpoint of its WAL is made by a snapshot, a verification, a drill or a check', async () => {
    const path = bench.path('app.db');
    const application = new Database(path);
    application.pragma('wal_autocheckpoint = 0');
    application.exec('CREATE TABLE late (word TEXT)');
    application.exec("INSERT INTO late VALUES ('only in the WAL')");
    const files = () => [readFileSync(path), readFileSync(`${path}-wal`)];
    const before = files();
    expect(before[1]!.length).toBeGreaterThan(0);
    await take();
    await verify.run(context(), verify.params.parse({ deep: true }));
    await drill.run(context(), {});
    await recover.run(context(), recover.params.parse({ mode: 'check-only' }));
    expect(files()).toEqual(before);
    application.close();
  });
});

describe('verification', () => {
  it('Z-53, Z-76: reads every byte and has SQLite check every database; a mismatch is told, with what was found', async () => {
    const id = await take();
    const deep = { snapshots: [id], deep: true };
    expect(await verify.run(context(), verify.params.parse(deep))).toMatchObject({
      ok: true,
      verified: [{ snapshotId: id, ok: true, level: 'deep', findings: [] }],
    });
    for (const path of await packs()) {
      const bytes = readFileSync(path);
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(path, bytes);
    }
    await expect(verify.run(context(), verify.params.parse(deep))).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      details: {
        verified: [
          { snapshotId: id, ok: false, findings: expect.arrayContaining([expect.any(String)]) },
        ],
      },
    });
    const reader = await openReader(bench.repository);
    const { verifications } = await reader.readNotes(id);
    reader.close();
    expect(verifications.map(({ ok }) => ok)).toEqual([true, false]);
  });
});

describe('files of our own', () => {
  it('Z-D34, Z-43, Z-04: are of the owner alone, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      const id = await take();
      await verify.run(context(), verify.params.parse({}));
      await writeFile(bench.path('note.txt'), 'second');
      const target = { type: 'in-place' };
      await restore.run(context(), restore.params.parse({ snapshotId: id, target }));
    } finally {
      process.umask(umask);
    }
    const open: string[] = [];
    for (const name of await readdir(bench.directory, { recursive: true })) {
      // What was quarantined is as it was found, inside a directory of the owner.
      if (/^(?:data|state\/quarantine\/.*\/.*)(?:\/|$)/.test(name)) continue;
      // Made by this test.
      if (name === 'state' || name === 'state/scratch') continue;
      const mode = statSync(join(bench.directory, name)).mode & 0o077;
      if (mode !== 0) open.push(`${name} ${mode.toString(8)}`);
    }
    expect(open).toEqual([]);
  });
});

async function packs(): Promise<string[]> {
  const directory = join(bench.repository, 'packs');
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith('.pack')).map((name) => join(directory, name));
}
