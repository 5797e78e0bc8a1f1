import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobDocument } from '../../src/protocol/method-map.ts';
import type { RpcClient } from '../../src/rpc/client.ts';
import { finished, snapshot, succeeded } from '../support/jobs.ts';
import { Sandbox } from '../support/sandbox.ts';
import { treeHashes } from '../support/tree.ts';
import { FailingKernel, isRoot, SmallDisk, until } from './failing-disk.ts';
import { isLong, tally } from './fault-tally.ts';
import { canTrace } from './traced-worker.ts';

let sandbox: Sandbox;
let disks: SmallDisk[];
beforeEach(async () => {
  sandbox = new Sandbox();
  disks = [];
  await sandbox.configure();
});
afterEach(async () => {
  for (const disk of disks) disk.remove();
  await sandbox.dispose();
});

function mount(path: string, megabytes: number): SmallDisk {
  const disk = new SmallDisk(path, megabytes);
  disks.push(disk);
  return disk;
}

function fault(kind: string): void {
  tally.realFaults += 1;
  tally.realKinds.add(kind);
}

function addRows(directory: string, bytes: number): void {
  const database = new Database(join(directory, 'app.db'));
  database.exec('CREATE TABLE IF NOT EXISTS rows (body)');
  database.prepare('INSERT INTO rows VALUES (randomblob(?))').run(bytes);
  database.close();
}

async function backUp(client: RpcClient, source?: string): Promise<JobDocument> {
  const params = source === undefined ? {} : { sourceId: source };
  const { job } = await client.call('snapshot.create', params);
  return finished(client, job.id);
}

async function openAlerts(client: RpcClient): Promise<string[]> {
  const { items } = await client.call('alert.list', { states: ['open'] });
  return items.map(({ kind }) => kind);
}

const isReady = async (client: RpcClient): Promise<boolean> =>
  (await client.call('health.ready', {})).ready;

async function becomesReady(client: RpcClient): Promise<void> {
  await until(
    () => isReady(client),
    (ready) => ready,
  );
}

async function everythingVerifies(client: RpcClient): Promise<void> {
  const { job } = await client.call('snapshot.verify', { snapshots: 'all', deep: true });
  const { verified } = succeeded(await finished(client, job.id));
  expect(verified.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
}

/** Answers and works as if nothing had been; alerts of the fault are over, without a restart. */
async function isWellAgain(client: RpcClient, kinds: readonly string[]): Promise<void> {
  await becomesReady(client);
  addRows(sandbox.data, 1_000);
  await snapshot(client);
  await everythingVerifies(client);
  // Lasting conditions are looked at every minute.
  if (!isLong) return;
  await until(
    () => openAlerts(client),
    (open) => kinds.every((kind) => !open.includes(kind)),
  );
}

async function readOnlyRepository(): Promise<void> {
  const disk = mount(sandbox.repository, 64);
  addRows(sandbox.data, 10_000);
  await sandbox.start();
  const client = await sandbox.client();
  await snapshot(client);
  disk.letWrite(false);
  fault('repository read-only');
  addRows(sandbox.data, 10_000);
  const job = await backUp(client);
  expect(job).toMatchObject({ status: 'failed', error: { code: 'IO_ERROR' } });
  expect(job.error?.message).toMatch(/EROFS|read-?only/i);
  expect(await isReady(client)).toBe(false);
  await client.call('daemon.status', {});
  // What can only be read is still restored and verified from.
  const { items } = await client.call('snapshot.list', {});
  const target = { type: 'directory', path: join(sandbox.root, 'out') } as const;
  const restored = await client.call('restore.run', { snapshotId: items[0]!.id, target });
  succeeded(await finished(client, restored.job.id));
  rmSync(target.path, { recursive: true });
  await until(
    () => openAlerts(client),
    (kinds) => kinds.includes('REPOSITORY_UNWRITABLE') && kinds.includes('BACKUP_FAILED'),
  );
  disk.letWrite(true);
  await isWellAgain(client, ['REPOSITORY_UNWRITABLE', 'BACKUP_FAILED']);
}

async function unwritableState(): Promise<void> {
  addRows(sandbox.data, 10_000);
  const daemon = await sandbox.start();
  const client = await sandbox.client();
  await snapshot(client);
  const kernel = await FailingKernel.attach(daemon.process.pid!, 'pwrite64,fdatasync,fsync', 'EIO');
  fault('state.db EIO');
  await until(
    () => isReady(client),
    (ready) => !ready,
  );
  await client.call('daemon.status', {});
  await expect(client.call('snapshot.create', {})).rejects.toMatchObject({ code: 'IO_ERROR' });
  if (isLong) {
    await until(
      () => openAlerts(client),
      (kinds) => kinds.includes('STATE_UNWRITABLE'),
    );
  }
  await kernel.mend();
  await isWellAgain(client, ['STATE_UNWRITABLE']);
}

async function fullTarget(): Promise<void> {
  const disk = mount(sandbox.data, 8);
  addRows(sandbox.data, 3_000_000);
  await sandbox.start();
  const client = await sandbox.client();
  const { snapshotId } = await snapshot(client);
  addRows(sandbox.data, 1_000);
  writeFileSync(join(sandbox.data, 'filler'), Buffer.alloc(3_500_000));
  fault('target full');
  const before = treeHashes(sandbox.data);
  const restore = async (): Promise<JobDocument> => {
    const { job } = await client.call('restore.run', {
      snapshotId,
      target: { type: 'in-place' },
      confirm: 'app',
      replaceDatabases: true,
      checkpoint: false,
    });
    return finished(client, job.id);
  };
  expect(await restore()).toMatchObject({ status: 'failed', error: { code: 'NO_SPACE' } });
  expect(treeHashes(sandbox.data)).toEqual(before);
  disk.grow(64);
  succeeded(await restore());
  await isWellAgain(client, []);
}

/** As root nothing is forbidden: the daemon runs as nobody. */
async function takenPermissions(): Promise<void> {
  const other = join(sandbox.root, 'other');
  mkdirSync(other);
  const roots = (path: string) => [{ class: 'data', path }];
  const quiet = { watch: { enabled: false }, schedules: [] };
  await sandbox.configure();
  const document = {
    stateDirectory: sandbox.state,
    repositoryDirectory: sandbox.repository,
    socketPath: sandbox.socket,
    sources: [
      { name: 'app', roots: roots(sandbox.data), ...quiet },
      { name: 'other', roots: roots(other), ...quiet },
    ],
  };
  writeFileSync(sandbox.config, JSON.stringify(document));
  addRows(sandbox.data, 10_000);
  addRows(other, 10_000);
  execFileSync('chown', ['-R', 'nobody', sandbox.root]);
  const prefix = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'];
  await sandbox.start({ prefix });
  const client = await sandbox.client();
  for (const name of ['app', 'other']) succeeded(await backUp(client, name));
  chmodSync(sandbox.repository, 0o500);
  fault('repository permissions');
  chmodSync(join(sandbox.repository, 'tmp'), 0o500);
  expect(await backUp(client, 'app')).toMatchObject({
    status: 'failed',
    error: { code: 'IO_ERROR', hint: expect.any(String) },
  });
  expect(await isReady(client)).toBe(false);
  chmodSync(join(sandbox.repository, 'tmp'), 0o700);
  chmodSync(sandbox.repository, 0o700);
  await becomesReady(client);
  succeeded(await backUp(client, 'app'));
  chmodSync(sandbox.data, 0o000);
  fault('source not readable');
  expect(await backUp(client, 'app')).toMatchObject({
    status: 'failed',
    error: { code: expect.any(String) },
  });
  succeeded(await backUp(client, 'other'));
  chmodSync(sandbox.data, 0o700);
  succeeded(await backUp(client, 'app'));
  renameSync(sandbox.data, `${sandbox.data}-gone`);
  fault('source gone');
  expect(await backUp(client, 'app')).toMatchObject({
    status: 'failed',
    error: { code: 'SOURCE_MISSING' },
  });
  succeeded(await backUp(client, 'other'));
  renameSync(`${sandbox.data}-gone`, sandbox.data);
  succeeded(await backUp(client, 'app'));
}

/** Every read of a page by a worker fails; the daemon itself reads no database. */
async function unreadableMedium(): Promise<void> {
  addRows(sandbox.data, 200_000);
  const daemon = await sandbox.start();
  const client = await sandbox.client();
  await snapshot(client);
  addRows(sandbox.data, 200_000);
  const kernel = await FailingKernel.attach(daemon.process.pid!, 'pread64', 'EIO');
  fault('reads EIO');
  const job = await backUp(client);
  expect(job.status).toBe('failed');
  expect(job.error?.code).not.toBe('INTERNAL');
  expect((await client.call('health.live', {})).live).toBe(true);
  await kernel.mend();
  await isWellAgain(client, []);
}

export function describeDaemonFaults(): void {
  describe('a daemon while its disk fails', () => {
    it.skipIf(!isRoot)(
      'Z-D3: a repository that becomes read-only: told, alerted, still restored from, and well again by itself (needs root)',
      readOnlyRepository,
    );
    it.skipIf(!isLong || !isRoot || !canTrace())(
      'Z-D3: a state.db that cannot be written: answered, alerted from memory, and well again by itself (needs root, strace)',
      unwritableState,
    );
    it.skipIf(!isLong || !isRoot)(
      'F-D9: a target without room: nothing is changed, and it works once there is room (needs root)',
      fullTarget,
    );
    it.skipIf(!isLong || !isRoot)(
      'Z-D3: permissions that are taken away and a source that is gone: told; other sources go on (needs root, to run as nobody)',
      takenPermissions,
    );
    it.skipIf(!isLong || !isRoot || !canTrace())(
      'Z-D3: a medium that cannot be read: told, and the daemon lives (needs root, strace)',
      unreadableMedium,
    );
  });
}
