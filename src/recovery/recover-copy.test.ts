import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import { openReader } from '../store/repository.ts';
import { type RecoverCopyResult, recoverCopy } from './recover-copy.ts';
import { SnapshotDatabases } from './snapshot-databases.ts';
import {
  addNotes,
  contentsOf,
  makeDatabase,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

let bench: Workbench;
let app: string;
let target: string;
beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
  mkdirSync(join(bench.directory, 'out'));
  target = join(bench.directory, 'out', 'saved.db');
});
afterEach(() => bench.remove());

async function save(
  options: { database?: string; withSnapshots?: boolean; dryRun?: boolean } = {},
): Promise<RecoverCopyResult> {
  const reader = options.withSnapshots === true ? await openReader(bench.repository) : null;
  const snapshots = reader === null ? null : new SnapshotDatabases(reader, bench.source, () => {});
  try {
    const request = {
      database: options.database ?? app,
      target,
      scratchDirectory: join(bench.directory, 'scratch'),
      snapshots,
      dryRun: options.dryRun === true,
    };
    return await recoverCopy(request, quietActivity(), systemClock);
  } finally {
    reader?.close();
  }
}

/** Names and bytes of everything in the data directory. */
const dataNow = () =>
  bench.names().map((name) => [name, readFileSync(bench.path(name)).toString('base64')]);

describe('the best of any SQLite file, written to another', () => {
  it('needs no backup at all: an index is rebuilt, no row is lost, the original stays as it is', async () => {
    makeDatabase(app);
    const truth = contentsOf(app);
    zeroPage(app, rootPage(app, 'notes_title'));
    const before = dataNow();
    const result = await save();
    expect(result).toMatchObject({ written: true, rung: 'reindex', lostRows: 0, lossExact: true });
    expect(contentsOf(target)).toEqual(truth);
    expect(query(target, (database) => database.pragma('integrity_check', { simple: true }))).toBe(
      'ok',
    );
    expect(dataNow()).toEqual(before);
    expect(readdirSync(join(bench.directory, 'out'))).toEqual(['saved.db']);
  });

  it('a sound database comes out whole, with what its application left in the WAL', async () => {
    makeDatabase(app, { journalMode: 'wal' });
    const child = SqliteChild.start();
    await child.open(app);
    await child.exec(`INSERT INTO settings VALUES('late', 1)`);
    await child.kill();
    const before = dataNow();
    expect(before.map(([name]) => name)).toContain('app.db-wal');
    const result = await save();
    expect(result).toMatchObject({ written: true, rung: null, lostRows: 0, lossExact: true });
    expect(dataNow()).toEqual(before);
    expect(contentsOf(target).settings).toContainEqual({ key: 'late', value: 1 });
  });

  it('uses snapshots where there are any, and never calls whole what is not', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db']);
    const captured = contentsOf(app);
    query(app, (database) => addNotes(database, 601, 605));
    const truth = contentsOf(app);
    zeroPage(app, 1);
    const result = await save({ withSnapshots: true });
    expect(result.written).toBe(true);
    if (result.lossExact && result.lostRows === 0) expect(contentsOf(target)).toEqual(truth);
    expect(contentsOf(target).notes).toEqual(expect.arrayContaining(captured.notes));
  });

  it('a dry run lists what there is, and writes nothing', async () => {
    makeDatabase(app);
    zeroPage(app, rootPage(app, 'notes_title'));
    const result = await save({ dryRun: true });
    expect(result).toMatchObject({ written: false, rung: 'reindex' });
    expect(result.candidates).not.toEqual([]);
    expect(readdirSync(join(bench.directory, 'out'))).toEqual([]);
  });

  it('never writes over anything', async () => {
    makeDatabase(app);
    writeFileSync(target, 'mine');
    await expect(save()).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    expect(readFileSync(target, 'utf8')).toBe('mine');
    target = join(bench.directory, 'out', 'dangling');
    symlinkSync(join(bench.directory, 'elsewhere'), target);
    await expect(save()).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
  });

  it('follows a symlink to the database, with the WAL that lies beside the file itself', async () => {
    makeDatabase(app);
    const link = join(bench.directory, 'link.db');
    symlinkSync(app, link);
    expect(await save({ database: link })).toMatchObject({ database: app, written: true });
    expect(contentsOf(target)).toEqual(contentsOf(app));
  });

  it('says plainly that a file is gone, or that nothing can be made of it', async () => {
    await expect(save()).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(save({ database: bench.data })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    writeFileSync(app, 'no database '.repeat(1000));
    await expect(save()).rejects.toMatchObject({
      code: 'RECOVERY_FAILED',
      message: expect.stringContaining(`"${app}"`),
    });
    rmSync(join(bench.directory, 'scratch'), { recursive: true });
    writeFileSync(app, '');
    expect(await save({ dryRun: true })).toMatchObject({
      reason: expect.stringContaining('empty'),
    });
    expect(readdirSync(join(bench.directory, 'out'))).toEqual([]);
  });
});
