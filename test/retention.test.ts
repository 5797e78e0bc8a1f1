import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: snapshots that the policy does not keep go by themselves; what it keeps, and the good, stays and verifies. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({ retention: { keepLast: 2, minGood: 1 } });
  makeDatabase();
});
afterEach(() => sandbox.dispose());

const file = (): string => join(sandbox.data, 'app.db');

function makeDatabase(): void {
  const database = new Database(file());
  database.exec(
    'CREATE TABLE notes (body); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO notes SELECT hex(randomblob(50)) FROM n',
  );
  database.close();
}

/** Damage that a check sees, and a capture survives. */
function overwritePages(): void {
  const descriptor = openSync(file(), 'r+');
  writeSync(descriptor, Buffer.alloc(8192, 7), 0, 8192, 4096 * 10);
  closeSync(descriptor);
}

/** The forget jobs that have succeeded, once there are so many; newest first. */
async function forgotten(client: RpcClient, count: number) {
  for (;;) {
    const { items } = await client.call('job.list', { kind: 'forget', status: ['succeeded'] });
    if (items.length >= count) return items;
  }
}

const ids = async (client: RpcClient): Promise<string[]> =>
  (await client.call('snapshot.list', {})).items.map(({ id }) => id);

describe('retention', () => {
  it('F-12, F37, F-D10, F-18: after each good backup, never after a bad one; what stays verifies; the same by hand without a daemon', async () => {
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const taken: string[] = [];
    const take = async () => {
      const { snapshotId, good } = await snapshot(client);
      taken.unshift(snapshotId);
      return good;
    };
    for (let count = 0; count < 3; count += 1) expect(await take()).toBe(true);
    await forgotten(client, 1);
    expect(await ids(client)).toEqual(taken.slice(0, 2));

    overwritePages();
    expect(await take()).toBe(false);
    rmSync(file());
    makeDatabase();
    expect(await take()).toBe(true);
    const jobs = await forgotten(client, 2);
    expect(jobs).toHaveLength(2);
    expect(jobs[0]).toMatchObject({ actor: 'user', sourceId: 'app', exitCode: 0 });
    // Bad ones are counted by themselves: they push out no good ones.
    expect(await ids(client)).toEqual(taken.slice(0, 3));

    const preview = await sandbox.run([
      ...['retention', 'preview', '--keep-last', '1', '--min-good', '1'],
    ]);
    expect(preview.stderr).toContain('2 snapshots would stay, 1 go.');
    expect((await sandbox.run(['forget', '--dry-run'])).stdout).toBe(
      'app: 0 snapshots would be removed, 3 kept\n',
    );
    await stopChild(daemon.process, 'SIGTERM');
    await sandbox.configure({ retention: { keepLast: 1, minGood: 1 } });
    expect((await sandbox.run(['forget'])).exitCode).toBe(2);
    expect((await sandbox.json(['retention', 'preview']))['removeCount']).toBe(1);
    const byHand = await sandbox.json(['forget', 'app', '--yes']);
    expect(byHand['stats'].sources[0]).toMatchObject({ removed: [taken[2]], keptCount: 2 });
    expect(await sandbox.json(['verify', '--all', '--deep'])).toMatchObject({ exitCode: 0 });
  });

  it('F-18, F-19: at the start, where the policy was tightened while the daemon was down', async () => {
    await sandbox.configure({ retention: { keepLast: 3, minGood: 1 } });
    const daemon = await sandbox.start();
    for (let count = 0; count < 3; count += 1) await snapshot(await sandbox.client());
    await stopChild(daemon.process, 'SIGTERM');
    await sandbox.configure({ retention: { keepLast: 1, minGood: 1 } });
    await sandbox.start();
    const client = await sandbox.client();
    const [job] = await forgotten(client, 1);
    expect(job).toMatchObject({ actor: 'boot', sourceId: 'app' });
    expect(await ids(client)).toHaveLength(1);
  });
});
