import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RootSettings } from '../config/settings.ts';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { pictureOf } from '../files/testing/tree-picture.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { planFingerprint } from './plan-fingerprint.ts';
import { planRestore } from './plan-restore.ts';
import { type FileRestore, restoreFile } from './restore-file.ts';
import type { RestoreRequest } from './restore-request.ts';
import { type RestoreResult, restoreSnapshot } from './restore-snapshot.ts';
import { directoryListing } from './testing/live-listing.ts';
import { Workplace } from './testing/stored-tree.ts';

let work: Workplace;
let data: string;
let roots: RootSettings[];

beforeEach(async () => {
  work = await Workplace.make();
  data = work.at('app', 'data');
  await mkdir(join(data, 'notes'), { recursive: true });
  makeDatabase('app.db', 'snapshot');
  await writeFile(join(data, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(data, 'notes', 'a*[1]?.txt'), 'a');
  await writeFile(join(data, 'notes', 'ab1x.txt'), 'what the pattern would match');
  roots = [{ class: 'data', name: null, path: data, required: true }];
});
afterEach(() => work.remove());

function makeDatabase(name: string, word: string): void {
  const database = new Database(join(data, name));
  database.exec('CREATE TABLE IF NOT EXISTS rows (word TEXT); DELETE FROM rows');
  database.prepare('INSERT INTO rows VALUES (?)').run(word);
  database.close();
}

function wordIn(path: string): unknown {
  const database = new Database(path, { fileMustExist: true });
  try {
    return database.prepare('SELECT word FROM rows').pluck().get();
  } finally {
    database.close();
  }
}

const snapshotData = (): Promise<string> =>
  work.snapshot([{ class: 'data', name: null, path: data }]);

const inPlace = (id: string, more: Partial<RestoreRequest> = {}): Promise<RestoreResult> =>
  work.read((reader) =>
    restoreSnapshot(
      work.request(id, { target: { type: 'in-place', roots }, ...more }),
      reader,
      quietActivity(),
      systemClock,
    ),
  );

describe('mode mirror', () => {
  it('Z-D20, F25, T-D23: lists what it removes, and keeps it in quarantine; merge removes nothing', async () => {
    const id = await snapshotData();
    const before = await pictureOf(data, { times: false });
    await mkdir(join(data, 'new', 'deep'), { recursive: true });
    await writeFile(join(data, 'new', 'deep', 'file'), 'added');
    await writeFile(join(data, 'notes', 'added.txt'), 'added too');
    makeDatabase('added.db', 'added');
    await inPlace(id);
    expect(Object.keys(await pictureOf(data))).toContain('./new/deep/file');
    const mirror = directoryListing();
    const plan = await inPlace(id, { mirror, dryRun: true });
    const deletions = plan.entries.filter(({ action }) => action === 'delete');
    expect(deletions.map(({ logicalPath }) => logicalPath).sort()).toEqual([
      'data/added.db',
      'data/new',
      'data/new/deep',
      'data/new/deep/file',
      'data/notes/added.txt',
    ]);
    expect(plan.deleted).toBe(5);
    const done = await inPlace(id, { mirror });
    expect(await pictureOf(data, { times: false })).toEqual(before);
    const [record] = await listQuarantine(work.state);
    expect(record?.id).toBe(done.quarantineId);
    expect(record?.items.map(({ target }) => target).sort()).toEqual([
      join(data, 'added.db'),
      join(data, 'new'),
      join(data, 'notes', 'added.txt'),
    ]);
  });

  it('leaves what is no part of the source, and the directories it lies in', async () => {
    const id = await snapshotData();
    await mkdir(join(data, 'cache'));
    await writeFile(join(data, 'cache', 'left-out'), 'excluded');
    await writeFile(join(data, 'cache', 'other'), 'added');
    const mirror = directoryListing(['data/cache/left-out']);
    await inPlace(id, { mirror });
    expect(await readdir(join(data, 'cache'))).toEqual(['left-out']);
  });

  it('is refused for a snapshot that holds only a part, and where one database is in the way nothing changes', async () => {
    const id = await work.snapshot([{ class: 'data', name: null, path: data }], {
      manifest: (manifest) => ({ ...manifest, origin: 'pre-restore' }),
    });
    const before = await pictureOf(data);
    await expect(inPlace(id, { mirror: directoryListing() })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    expect(await pictureOf(data)).toEqual(before);
  });
});

describe('the fingerprint of a plan', () => {
  const fingerprint = (id: string) =>
    work.read(async (reader) => {
      const request = work.request(id, { target: { type: 'in-place', roots } });
      return planFingerprint(await planRestore(request, reader, quietActivity()));
    });

  it('F25: changes with anything at its targets, and with nothing else', async () => {
    const id = await snapshotData();
    const first = await fingerprint(id);
    expect(await fingerprint(id)).toBe(first);
    await writeFile(join(data, 'elsewhere'), 'not a target');
    expect(await fingerprint(id)).toBe(first);
    await chmod(join(data, 'run.sh'), 0o700);
    const second = await fingerprint(id);
    expect(second).not.toBe(first);
    makeDatabase('app.db', 'later');
    const third = await fingerprint(id);
    expect(third).not.toBe(second);
    makeDatabase('app.db', 'other');
    expect(await fingerprint(id)).not.toBe(third);
  });
});

describe('what is done after the swap', () => {
  it('F-D11, Z-D19: when it fails, everything is as it was: files, databases with their WAL, modes, what was added', async () => {
    const id = await snapshotData();
    makeDatabase('app.db', 'later');
    const open = new Database(join(data, 'app.db'));
    open.pragma('journal_mode = WAL');
    open.close();
    await writeFile(join(data, 'run.sh'), 'changed', { mode: 0o644 });
    await chmod(join(data, 'run.sh'), 0o600);
    await writeFile(join(data, 'extra'), 'would be removed');
    await rm(join(data, 'notes'), { recursive: true });
    const before = await pictureOf(data);
    const afterSwap = async (): Promise<void> => {
      expect(wordIn(join(data, 'app.db'))).toBe('snapshot');
      throw new Error('the application does not like it');
    };
    const failing = inPlace(id, { afterSwap, mirror: directoryListing() });
    await expect(failing).rejects.toThrow('the old state was put back');
    expect(await pictureOf(data)).toEqual(before);
    expect(wordIn(join(data, 'app.db'))).toBe('later');
    expect(await readdir(join(work.state, 'staging'))).toEqual([]);
  });

  it('Z-D19: rows that were only in the WAL of the old state come back too', async () => {
    const id = await snapshotData();
    const script = `
      const Database = require('better-sqlite3');
      const database = new Database(process.argv[1]);
      database.pragma('journal_mode = WAL');
      database.exec("UPDATE rows SET word = 'in the wal'");
      process.kill(process.pid, 'SIGKILL');`;
    await once(spawn(process.execPath, ['-e', script, join(data, 'app.db')]), 'exit');
    const afterSwap = () => Promise.reject(new Error('no'));
    await expect(inPlace(id, { afterSwap })).rejects.toThrow('put back');
    expect(wordIn(join(data, 'app.db'))).toBe('in the wal');
  });
});

describe('one file', () => {
  const file = (snapshotId: string, more: Partial<FileRestore>): Promise<RestoreResult> =>
    work.read((reader) =>
      restoreFile(
        {
          snapshotId,
          sourceId: 'app',
          path: 'data/run.sh',
          to: work.at('run.sh'),
          overwrite: false,
          check: 'quick',
          forbiddenPaths: [work.repository],
          stateDirectory: work.state,
          jobId: 'job',
          ...more,
        },
        reader,
        quietActivity(),
        systemClock,
      ),
    );

  it('Z-57, F27, Z-D21: comes back to the named place with its mode, and only by request over another', async () => {
    const id = await snapshotData();
    await file(id, {});
    expect((await pictureOf(work.at('run.sh')))['.']).toMatch(/^file 755 /);
    await writeFile(work.at('run.sh'), 'mine');
    await expect(file(id, {})).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    expect(await readFile(work.at('run.sh'), 'utf8')).toBe('mine');
    const { quarantineId } = await file(id, { overwrite: true });
    expect(await readFile(work.at('run.sh'), 'utf8')).toBe('#!/bin/sh\n');
    const [record] = await listQuarantine(work.state);
    expect(record?.id).toBe(quarantineId);
  });

  it('M-D8: a name that looks like a pattern means exactly that file', async () => {
    const id = await snapshotData();
    const { entries } = await file(id, { path: 'data/notes/a*[1]?.txt', to: null });
    expect(entries).toHaveLength(1);
    const place = work.at('state', 'restores', 'job', 'data', 'notes');
    expect(await readdir(place)).toEqual(['a*[1]?.txt']);
  });

  it('Z-D13: refuses directories, missing parents, Holdfast’s own, and replaces a symlink instead of following it', async () => {
    const id = await snapshotData();
    const refusals: [Partial<FileRestore>, string][] = [
      [{ path: 'data/notes' }, 'INVALID_PARAMS'],
      [{ path: 'data/nothing' }, 'PATH_NOT_FOUND'],
      [{ to: work.at('missing', 'x') }, 'PATH_NOT_FOUND'],
      [{ to: join(work.repository, 'x') }, 'PATH_UNSAFE'],
    ];
    for (const [more, code] of refusals)
      await expect(file(id, more)).rejects.toMatchObject({ code });
    await writeFile(work.at('elsewhere'), 'kept');
    await symlink(work.at('elsewhere'), work.at('link'));
    await file(id, { to: work.at('link'), overwrite: true });
    expect(await readFile(work.at('elsewhere'), 'utf8')).toBe('kept');
    expect((await pictureOf(work.at('link')))['.']).toMatch(/^file 755/);
  });
});
