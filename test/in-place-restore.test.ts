import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { finished, restoreTo, snapshot, succeeded } from './support/jobs.ts';
import { Sandbox } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/** Promise: a restore in place is whole or not at all, and what it replaces is kept. */

let sandbox: Sandbox;
let client: RpcClient;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.pragma('journal_mode = WAL');
  database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('first')");
  database.close();
  await mkdir(join(sandbox.data, 'files/empty'), { recursive: true });
  await writeFile(join(sandbox.data, 'files/a.txt'), 'a, first', { mode: 0o640 });
  await symlink('a.txt', join(sandbox.data, 'files/link'));
  await sandbox.start();
  client = await sandbox.client();
});
afterEach(() => sandbox.dispose());

async function restoreInPlace(snapshotId: string, options: object = {}) {
  const { job } = await client.call('restore.run', {
    snapshotId,
    target: { type: 'in-place' },
    confirm: 'app',
    replaceDatabases: true,
    ...options,
  });
  return finished(client, job.id);
}

function writeSecondState(): void {
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec("INSERT INTO notes VALUES ('second')");
  database.close();
  writeFileSync(join(sandbox.data, 'files/a.txt'), 'a, second');
}

describe('restore in place', () => {
  it('T-D1, T-28, T-30, F28, F30: brings the tree back exactly, and keeps what it replaced in quarantine and a snapshot', async () => {
    const before = treeHashes(sandbox.data);
    const { snapshotId } = await snapshot(client);
    writeSecondState();
    const second = treeHashes(sandbox.data);
    const result = succeeded(await restoreInPlace(snapshotId));
    expect(treeHashes(sandbox.data)).toEqual(before);

    expect(result['quarantineId']).not.toBeNull();
    const kept = join(sandbox.root, 'kept');
    await client.call('recovery.quarantineRestore', {
      id: result['quarantineId'],
      directory: kept,
    });
    expect(Object.values(treeHashes(kept))).toContain(second['app.db']);

    const checkpoint = join(sandbox.root, 'checkpoint');
    await restoreTo(client, result['preRestoreSnapshotId'], checkpoint);
    expect(treeHashes(join(checkpoint, 'data'))['app.db']).toBe(second['app.db']);
  });

  it('C-D2: is refused while the application has the database open, naming the process', async () => {
    const { snapshotId } = await snapshot(client);
    writeSecondState();
    const application = await sandbox.startBank(join(sandbox.data, 'app.db'), 'wal', 3);
    const present = treeHashes(join(sandbox.data, 'files'));
    const job = await restoreInPlace(snapshotId);
    expect(job.status).toBe('failed');
    expect(job.error?.code).toBe('TARGET_BUSY');
    expect(JSON.stringify(job.error)).toContain(String(application.pid));
    expect(treeHashes(join(sandbox.data, 'files'))).toEqual(present);
  });

  it('Z-D5: never lets a stale -wal beside the target be replayed', async () => {
    const path = join(sandbox.data, 'app.db');
    const { snapshotId } = await snapshot(client);
    // A WAL of a later state, left by a crash: replayed over the restored file it would corrupt it.
    const crashed = new Database(path);
    crashed.pragma('wal_autocheckpoint = 0');
    crashed.exec(
      'INSERT INTO notes SELECT hex(randomblob(3000)) FROM sqlite_schema, sqlite_schema',
    );
    const wal = readFileSync(`${path}-wal`);
    crashed.close();
    await rm(`${path}-shm`, { force: true });
    await writeFile(`${path}-wal`, wal);
    succeeded(await restoreInPlace(snapshotId, { checkpoint: false }));
    expect((await readdir(sandbox.data)).sort()).toEqual(['app.db', 'files']);
    const restored = new Database(path);
    expect(restored.prepare('SELECT body FROM notes').pluck().all()).toEqual(['first']);
    restored.close();
  });

  it('Z-D19: leaves everything as it was when one file cannot be put in place', async () => {
    const { snapshotId } = await snapshot(client);
    writeSecondState();
    // A directory stands where the last file must go, and it is not empty.
    await rename(join(sandbox.data, 'files/link'), join(sandbox.data, 'files/was-link'));
    await mkdir(join(sandbox.data, 'files/link'));
    await writeFile(join(sandbox.data, 'files/link/inside'), 'x');
    const before = treeHashes(sandbox.data);
    const job = await restoreInPlace(snapshotId);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'TARGET_NOT_EMPTY' } });
    expect(treeHashes(sandbox.data)).toEqual(before);
  });

  it('restores one path and touches nothing else; a dry run touches nothing at all', async () => {
    const { snapshotId } = await snapshot(client);
    writeSecondState();
    const second = treeHashes(sandbox.data);
    const plan = succeeded(await restoreInPlace(snapshotId, { dryRun: true }));
    expect(plan['dryRun']).toBe(true);
    expect(JSON.stringify(plan['entries'])).toContain('data/app.db');
    expect(treeHashes(sandbox.data)).toEqual(second);
    succeeded(await restoreInPlace(snapshotId, { paths: ['data/files/a.txt'] }));
    expect(readFileSync(join(sandbox.data, 'files/a.txt'), 'utf8')).toBe('a, first');
    expect(treeHashes(sandbox.data)['app.db']).toBe(second['app.db']);
  });

  it('F25, T-49: by command, exactly the plan that was shown or nothing; a mirror; one file', async () => {
    const { snapshotId } = await snapshot(client);
    writeSecondState();
    const inPlace = ['restore', snapshotId.slice(0, 8), '--in-place', '--mode', 'mirror'];
    const { stats } = await sandbox.json([...inPlace, '--dry-run']);
    expect(stats).toMatchObject({ overwritten: 2, dryRun: true });
    writeFileSync(join(sandbox.data, 'files/a.txt'), 'a, third');
    const changed = await sandbox.run(['restore', '--plan', stats['planId'], '--yes', '--json']);
    expect(changed.exitCode).toBe(11);
    expect(changed.stdout).toContain('PLAN_CHANGED');
    writeFileSync(join(sandbox.data, 'files/new'), 'not in the snapshot');
    const done = await sandbox.json([...inPlace, '--yes']);
    expect(done['stats']).toMatchObject({ overwritten: 2, deleted: 1 });
    expect(readFileSync(join(sandbox.data, 'files/a.txt'), 'utf8')).toBe('a, first');
    const one = join(sandbox.root, 'one.txt');
    await sandbox.json(['restore', snapshotId, '--file', 'data/files/a.txt', '--to', one]);
    expect(readFileSync(one, 'utf8')).toBe('a, first');
  });
});
