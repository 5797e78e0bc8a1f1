import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../../config/testing/settings.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { makeDatabase, query, Workbench } from '../../recovery/testing/workbench.ts';
import { openReader } from '../../store/repository.ts';
import { type DatabaseReplacement, replaceDatabase } from './replace-database.ts';
import { copyLiveDatabase, markAsRollbackMode } from './staged-database.ts';

let bench: Workbench;
let staged: string;
beforeEach(async () => {
  bench = await Workbench.create();
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal' });
  staged = join(bench.directory, 'staged.db');
});
afterEach(() => bench.remove());

function contextOf(assertions: readonly { name: string; database: string; sql: string }[] = []) {
  const source = {
    ...bench.source,
    assertions: assertions.map((each) => ({ ...each, expect: 1 as const })),
  };
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [source],
  });
  const scratchDirectory = join(bench.state, 'scratch');
  const activity = quietActivity();
  return {
    context: { activity, settings, clock: systemClock, jobId: 'job', scratchDirectory },
    source,
  };
}

const rowsOf = (path: string, table = 'notes'): unknown =>
  query(path, (database) => database.prepare(`SELECT count(*) FROM ${table}`).pluck().get());

async function replace(
  change: Partial<DatabaseReplacement> = {},
  { context, source } = contextOf(),
) {
  return replaceDatabase(context, {
    source,
    database: 'data/app.db',
    stagedPath: staged,
    origin: 'pre-restore',
    note: 'trial',
    checkpoint: true,
    check: 'full',
    ...change,
  });
}

/** A copy that tells itself apart. */
async function stage(): Promise<void> {
  await copyLiveDatabase(bench.path('app.db'), staged, contextOf().context);
  const database = new Database(staged);
  database.pragma('foreign_keys = OFF');
  database.exec('DELETE FROM notes WHERE rowid > 1');
  database.close();
}

describe('putting a staged database in place', () => {
  it('C-D9, T-D1: keeps what it replaces in a snapshot and in quarantine, with mode and owner as they were', async () => {
    await stage();
    await chmod(bench.path('app.db'), 0o640);
    const before = rowsOf(bench.path('app.db'));
    const { quarantineId, preRestoreSnapshotId } = await replace();
    expect(rowsOf(bench.path('app.db'))).not.toEqual(before);
    expect(statSync(bench.path('app.db')).mode & 0o777).toBe(0o640);
    expect(quarantineId).not.toBeNull();
    const reader = await openReader(bench.repository);
    const manifest = await reader.readManifest(preRestoreSnapshotId!);
    reader.close();
    expect(manifest).toMatchObject({ origin: 'pre-restore', reason: 'before the trial' });
    expect(manifest.databases.map(({ path }) => path)).toEqual(['data/app.db']);
  });

  it('makes one that was not there, and its directory', async () => {
    await stage();
    const { quarantineId, path } = await replace({ database: 'data/new/other.db' });
    expect(quarantineId).toBeNull();
    expect(path).toBe(bench.path('new/other.db'));
    expect(rowsOf(path)).toEqual(rowsOf(staged));
  });

  it('C-D1: a log of another database beside the place is gone afterwards', async () => {
    await stage();
    const other = new Database(bench.path('other.db'));
    other.pragma('journal_mode = WAL');
    other.exec('CREATE TABLE a (b); INSERT INTO a VALUES (1)');
    copyFileSync(bench.path('other.db-wal'), join(bench.directory, 'stray'));
    other.close();
    rmSync(bench.path('other.db'));
    copyFileSync(join(bench.directory, 'stray'), bench.path('other.db-wal'));
    await replace({ database: 'data/other.db' });
    expect(existsSync(bench.path('other.db-wal'))).toBe(false);
    expect(rowsOf(bench.path('other.db'))).toEqual(rowsOf(staged));
  });

  it('C-D2: refuses while somebody has it open, and where it was written since the copy was made', async () => {
    const { context } = contextOf();
    const expected = await copyLiveDatabase(bench.path('app.db'), staged, context);
    const user = new Database(bench.path('app.db'));
    user.exec('CREATE TABLE later (a)');
    // This process itself is no other user; a lock is.
    user.exec('BEGIN IMMEDIATE');
    await expect(replace({ checkpoint: false })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    user.close();
    await expect(replace({ expected })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      message: expect.stringContaining('it was written to meanwhile'),
    });
    expect(rowsOf(bench.path('app.db'), 'later')).toBe(0);
  });

  it('C-15: puts the old state back where an assertion of the source does not hold', async () => {
    await stage();
    const before = rowsOf(bench.path('app.db'));
    const assertion = {
      name: 'many',
      database: 'data/app.db',
      sql: 'SELECT count(*) > 1 FROM notes',
    };
    await expect(replace({}, contextOf([assertion]))).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
    expect(rowsOf(bench.path('app.db'))).toEqual(before);
  });

  it('C-D10: refuses a damaged one, and one that is outside of the source', async () => {
    await stage();
    const damaged = join(bench.directory, 'damaged.db');
    copyFileSync(staged, damaged);
    const descriptor = openSync(damaged, 'r+');
    writeSync(descriptor, Buffer.alloc(4096, 0xff), 0, 4096, 4096);
    closeSync(descriptor);
    await expect(replace({ stagedPath: damaged })).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    for (const database of ['../app.db', 'data/../../x.db', '/x.db', 'other/x.db']) {
      await expect(replace({ database })).rejects.toMatchObject({
        code: expect.stringMatching(/PATH_UNSAFE|NOT_FOUND/),
      });
    }
    expect(readdirSync(bench.path('.')).filter((name) => name.includes('holdfast'))).toEqual([]);
  });
});

describe('an image that is carried elsewhere', () => {
  it('F22: needs no log: it is marked so, and nothing else of it changes', async () => {
    const { context } = contextOf();
    await copyLiveDatabase(bench.path('app.db'), staged, context);
    await markAsRollbackMode(staged);
    const database = new Database(staged, { readonly: true });
    expect(database.pragma('journal_mode', { simple: true })).toBe('delete');
    database.close();
    expect(rowsOf(staged)).toEqual(rowsOf(bench.path('app.db')));
  });
});
