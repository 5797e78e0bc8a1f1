import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Sandbox } from './support/sandbox.ts';

/** Promise: where nothing has changed, a tick costs nothing and says so. */

let sandbox: Sandbox;

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
