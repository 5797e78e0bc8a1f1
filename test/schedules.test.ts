import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: what is due is done once, wherever the daemon ends; what was turned off stays off. */

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('kept')");
  database.close();
});
afterEach(() => sandbox.dispose());

const scheduled = async (client: RpcClient) =>
  (await client.call('job.list', { limit: 1000 })).items.filter(
    ({ actor }) => actor === 'schedule',
  );

describe('schedules', () => {
  it('F42, M-33, F-01: set over the socket they hold over kills, each tick one job; an empty set stays empty', async () => {
    let daemon = await sandbox.start();
    let client = await sandbox.client();
    const file = join(sandbox.root, 'schedules.json');
    await writeFile(file, JSON.stringify([{ id: 'fast', sourceId: 'app', trigger: '1s' }]));
    const set = await sandbox.json(['schedule', 'set', file]);
    expect(set).toMatchObject({ origin: 'rpc', applied: 1, rejected: [] });
    expect(set['appliedVersion']).toBe(set['version']);
    for (let kill = 0; kill < 3; kill += 1) {
      const before = (await scheduled(client)).length;
      await expect
        .poll(async () => (await scheduled(client)).length, { timeout: 20_000 })
        .toBeGreaterThan(before);
      await stopChild(daemon.process, 'SIGKILL');
      daemon = await sandbox.start();
      client = await sandbox.client();
    }
    await expect
      .poll(async () => (await scheduled(client)).some(({ status }) => status === 'succeeded'), {
        timeout: 20_000,
      })
      .toBe(true);
    await sandbox.json(['schedule', 'pause']);
    const jobs = await scheduled(client);
    const ticks = jobs.map(({ scheduledAt }) => scheduledAt);
    expect(new Set(ticks).size).toBe(ticks.length);
    expect(jobs.every(({ scheduleId, kind }) => scheduleId === 'fast' && kind === 'backup')).toBe(
      true,
    );

    await stopChild(daemon.process, 'SIGTERM');
    daemon = await sandbox.start();
    client = await sandbox.client();
    expect(await client.call('schedule.status', {})).toMatchObject({ paused: true, applied: 0 });
    expect((await client.call('schedule.list', {})).items).toMatchObject([
      { id: 'fast', origin: 'rpc', idleness: 'paused', nextDueAt: null },
    ]);
    await client.call('schedule.resume', {});
    await client.call('schedule.set', { schedules: [] });
    await stopChild(daemon.process, 'SIGTERM');
    await sandbox.start();
    client = await sandbox.client();
    expect((await client.call('schedule.list', {})).items).toEqual([]);
  });
});
