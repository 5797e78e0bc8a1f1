import { closeSync, openSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningDaemon, Sandbox } from './support/sandbox.ts';

/** Promise: where nothing has changed, neither a tick nor a start costs anything, and both say so. */

let sandbox: Sandbox;
let daemon: RunningDaemon;

beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec(
    "PRAGMA journal_mode=WAL; CREATE TABLE notes (body); INSERT INTO notes VALUES ('kept')",
  );
  database.close();
});
afterEach(() => sandbox.dispose());

it('a scheduled backup of what has not changed is a job without a worker, which names the snapshot', async () => {
  await sandbox.start();
  const client = await sandbox.client();
  await client.call('schedule.set', {
    schedules: [
      {
        id: 'fast',
        sourceId: 'app',
        kind: 'backup',
        trigger: { type: 'interval', intervalMs: 1_000 },
      },
    ],
  });
  const answered = async () => {
    const { items } = await client.call('job.list', { limit: 100 });
    const [newest] = items.filter((job) => job.scheduleId === 'fast' && job.status === 'succeeded');
    if (newest === undefined) return undefined;
    const job = await client.call('job.get', { id: newest.id });
    return job.result?.['unchanged'] === true ? job : undefined;
  };
  await expect.poll(answered, { timeout: 30_000 }).toBeDefined();
  await client.call('schedule.set', { schedules: [] });
  const job = (await answered())!;
  const { items: snapshots } = await client.call('snapshot.list', {});
  expect(job).toMatchObject({ status: 'succeeded', exitCode: 0, warnings: 0, workerPid: null });
  expect(job.result?.['snapshotId']).toBe(snapshots[0]!.id);

  const asked = await sandbox.json(['backup', '--if-changed']);
  expect(asked).toMatchObject({ status: 'succeeded', stats: { unchanged: true } });
  writeFileSync(join(sandbox.data, 'new.txt'), 'new');
  const taken = await sandbox.json(['backup', '--if-changed']);
  expect(taken['stats']).not.toHaveProperty('unchanged');
  expect((await client.call('snapshot.list', {})).items.length).toBe(snapshots.length + 1);
});

/** The jobs of the last boot by kind, each with the process that did it, or null. */
async function bootJobs(): Promise<Record<string, number | null>> {
  const client = await sandbox.client();
  const { items } = await client.call('job.list', { limit: 2 });
  expect(items.map(({ kind }) => kind).sort()).toEqual(['reconcile', 'recover']);
  return Object.fromEntries(items.map(({ kind, workerPid }) => [kind, workerPid]));
}

async function restart(signal: NodeJS.Signals): Promise<void> {
  daemon.process.kill(signal);
  await daemon.ended;
  daemon = await sandbox.start();
}

it('a start where nothing has changed since a good snapshot has no worker, and any doubt brings it back', async () => {
  daemon = await sandbox.start();
  await sandbox.json(['backup']);
  await restart('SIGTERM');
  expect(await bootJobs()).toEqual({ reconcile: null, recover: null });
  const { sources } = await (await sandbox.client()).call('daemon.status', {});
  expect(sources[0]).toMatchObject({
    needsOperator: false,
    databases: [{ state: 'skipped', reason: expect.stringContaining('unchanged since snapshot') }],
  });
  // What it knows outlives it: no worker is asked either whether there is anything to save.
  expect(await sandbox.json(['backup', '--if-changed'])).toMatchObject({
    stats: { unchanged: true },
  });

  // An end that was none, of the host perhaps: all is looked at, though by its times no file has changed.
  await restart('SIGKILL');
  expect(await bootJobs()).toEqual({
    reconcile: expect.any(Number),
    recover: expect.any(Number),
  });

  // One byte, with the time put back: only the time of the change of the inode tells.
  const path = join(sandbox.data, 'app.db');
  const { atime, mtime } = statSync(path);
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.from([0xff]), 0, 1, 4096);
  closeSync(descriptor);
  utimesSync(path, atime, mtime);
  await restart('SIGTERM');
  expect(await bootJobs()).toEqual({ reconcile: null, recover: expect.any(Number) });
});

it('a start under other settings looks at the databases again', async () => {
  daemon = await sandbox.start();
  await sandbox.json(['backup']);
  daemon.process.kill('SIGTERM');
  await daemon.ended;
  await sandbox.configure({ databases: { depth: 3 } });
  daemon = await sandbox.start();
  expect((await bootJobs())['recover']).toEqual(expect.any(Number));
});
