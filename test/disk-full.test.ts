import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: a full disk costs the job at hand and nothing else. */

// A real full file system needs a mount, and that needs root.
const canMount = process.getuid?.() === 0;

let sandbox: Sandbox;
const mounts: string[] = [];
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(async () => {
  // Lazily: the daemon still has files open there.
  for (const path of mounts.splice(0)) execFileSync('umount', ['-l', path]);
  await sandbox.dispose();
});

function mountSmall(path: string, megabytes: number): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  mounts.push(path);
}

function addBlob(megabytes: number): void {
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec(`
    CREATE TABLE IF NOT EXISTS blobs (body);
    INSERT INTO blobs VALUES (randomblob(${megabytes * 1024 * 1024}));
  `);
  database.close();
}

describe.skipIf(!canMount)('a full disk (needs root, to mount one)', () => {
  it('F-D9: under the repository: the backup says so, what is there stays sound, room lets the next one through', async () => {
    mountSmall(sandbox.repository, 24);
    addBlob(4);
    await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    addBlob(40);
    const failed = await sandbox.json(['backup', '--wait'], 1);
    expect(failed['error']).toMatchObject({ code: 'NO_SPACE' });
    expect((await sandbox.json(['snapshots']))['items']).toHaveLength(1);
    await sandbox.json(['verify', '--all', '--deep']);
    await sandbox.json(['check', '--read-data-subset', '100%']);
    execFileSync('mount', ['-o', 'remount,size=200m', sandbox.repository]);
    await sandbox.json(['backup', '--wait']);
    await sandbox.json(['verify', '--all', '--deep']);
  });

  it('under repository and state at once: the backup leaves room enough for its failure to be told and remembered', async () => {
    mountSmall(sandbox.state, 48);
    await sandbox.configure({}, { repositoryDirectory: join(sandbox.state, 'repository') });
    addBlob(4);
    await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    addBlob(80);
    const failed = await sandbox.json(['backup', '--wait'], 1);
    expect(failed['error']).toMatchObject({ code: 'NO_SPACE' });
    // Another job can be accepted, and the failed one is over.
    await sandbox.json(['verify', '--all', '--deep']);
    expect((await sandbox.json(['job', failed['id']]))['status']).toBe('failed');
    execFileSync('mount', ['-o', 'remount,size=300m', sandbox.state]);
    await sandbox.json(['backup', '--wait']);
    await sandbox.json(['verify', '--all', '--deep']);
  });

  it('under the state directory: a busy rollback database that has no room for a copy is captured nevertheless', async () => {
    mountSmall(sandbox.state, 16);
    const path = join(sandbox.data, 'app.db');
    addBlob(10);
    const application = await sandbox.startBank(path, 'delete', 3);
    await sandbox.start();
    const { snapshotId } = (await sandbox.json(['backup', '--wait']))['stats'];
    await stopChild(application, 'SIGTERM');
    const target = join(sandbox.root, 'restored');
    await sandbox.json(['restore', snapshotId, '--to', target]);
    expect(readBank(join(target, 'data/app.db'))).toMatchObject({
      integrity: 'ok',
      total: BANK_TOTAL,
    });
  });

  it('under the state directory: jobs fail with a reason, the daemon lives and works again once there is room', async () => {
    mountSmall(sandbox.state, 16);
    addBlob(4);
    await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    const filler = join(sandbox.state, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(32 * 1024 * 1024))).toThrow(/ENOSPC/);
    expect((await sandbox.run(['backup', '--wait'])).exitCode).toBe(1);
    await sandbox.json(['status']);
    execFileSync('rm', [filler]);
    await sandbox.json(['backup', '--wait']);
  });

  it('under the target: a restore refuses before it writes anything', async () => {
    addBlob(20);
    await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    const small = join(sandbox.root, 'small');
    mountSmall(small, 4);
    const failed = await sandbox.json(['restore', 'latest', '--to', join(small, 'x')], 1);
    expect(failed['error']).toMatchObject({ code: 'NO_SPACE' });
    expect(execFileSync('ls', ['-A', small], { encoding: 'utf8' })).toBe('');
  });
});
