import { mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { maintain } from './maintain.ts';

let directory: string;
let path: string;
let application: Database.Database;

beforeEach(async () => {
  directory = realpathSync(await mkdtemp(join(tmpdir(), 'holdfast-maintain-')));
  mkdirSync(join(directory, 'data'));
  path = join(directory, 'data', 'app.db');
  application = new Database(path);
  application.pragma('journal_mode = WAL');
  application.pragma('wal_autocheckpoint = 0');
  application.exec('CREATE TABLE t (a); CREATE INDEX i ON t (a)');
  const insert = application.prepare('INSERT INTO t VALUES (?)');
  for (let row = 0; row < 500; row += 1) insert.run(`row ${row}`);
});
afterEach(() => {
  application.close();
  rmSync(directory, { recursive: true, force: true });
});

function run(params: object) {
  const root = {
    class: 'data',
    name: null,
    path: join(directory, 'data'),
    required: true,
  } as const;
  const context = {
    activity: quietActivity(),
    settings: testSettings(directory, { sources: [testSource({ roots: [root] })] }),
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  return maintain.run(context, maintain.params.parse({ database: path, ...params }));
}

const walBytes = (): number => statSync(`${path}-wal`).size;

describe('looking after a database', () => {
  it('F35, Z-99: a checkpoint by name brings the WAL in, in the mode that is asked for', async () => {
    expect(walBytes()).toBeGreaterThan(500 * 4096);
    const passive = await run({ action: 'checkpoint', mode: 'passive' });
    expect(passive).toMatchObject({ busy: false, journalMode: 'wal' });
    expect(passive['checkpointed']).toBe(passive['frames']);
    expect(walBytes()).toBeGreaterThan(0);
    expect(await run({ action: 'checkpoint' })).toMatchObject({ busy: false });
    expect(walBytes()).toBe(0);
    expect(() =>
      maintain.params.parse({ action: 'checkpoint', database: path, mode: 'x' }),
    ).toThrow();
  });

  it('F35, Z-99: that a reader is in its way is a result, and the WAL stays', async () => {
    application.exec('BEGIN');
    application.prepare('SELECT count(*) FROM t').get();
    const other = new Database(path);
    other.exec("INSERT INTO t VALUES ('later')");
    other.close();
    const before = walBytes();
    expect(await run({ action: 'checkpoint' })).toMatchObject({ busy: true });
    expect(walBytes()).toBe(before);
    application.exec('COMMIT');
  });

  it('F35, Z-103: statistics come from the files alone and leave nothing behind', async () => {
    expect(await run({ action: 'statistics' })).toMatchObject({
      pageBytes: 4096,
      journalMode: 'wal',
      walBytes: walBytes(),
      walFramesMax: (walBytes() - 32) / (4096 + 24),
    });
    application.close();
    const names = readdirSync(join(directory, 'data'));
    expect(await run({ action: 'statistics' })).toMatchObject({ walBytes: 0, walFramesMax: 0 });
    expect(readdirSync(join(directory, 'data'))).toEqual(names);
  });

  it('F35, Z-103: optimize gives the planner its statistics', async () => {
    await run({ action: 'optimize' });
    expect(application.prepare('SELECT count(*) FROM t').pluck().get()).toBe(500);
    expect(application.pragma('integrity_check', { simple: true })).toBe('ok');
  });

  it('no file is touched that is no database of a source', async () => {
    for (const database of [join(directory, 'none.db'), join(directory, 'data'), '/etc/passwd']) {
      await expect(run({ action: 'checkpoint', database })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });
});
